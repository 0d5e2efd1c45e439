# Looks for nvcc. ATTNRT_CUDA says whether CUDA's plugins are built: ON (or it is an error), OFF, or AUTO: where
# nvcc 12.8 or newer is found. Their manifests are there in any case (<build>/manifests), for planning.
set(ATTNRT_CUDA AUTO CACHE STRING "Build the CUDA plugins: ON, OFF or AUTO")
set_property(CACHE ATTNRT_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ATTNRT_CUDA_LEAST 12.8)
set(ATTNRT_HAS_CUDA FALSE)

if(ATTNRT_CUDA AND NOT ATTNRT_SANITIZE AND NOT ATTNRT_PLUGINS_ONLY)
  find_program(ATTNRT_NVCC nvcc HINTS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  if(ATTNRT_NVCC)
    execute_process(COMMAND ${ATTNRT_NVCC} --version OUTPUT_VARIABLE version ERROR_QUIET)
    string(REGEX MATCH "release ([0-9.]+)" version "${version}")
    set(version ${CMAKE_MATCH_1})
  endif()
  if(ATTNRT_NVCC AND version VERSION_GREATER_EQUAL ATTNRT_CUDA_LEAST)
    set(CMAKE_CUDA_COMPILER ${ATTNRT_NVCC})
    set(CMAKE_CUDA_ARCHITECTURES OFF) # our own list, below
    set(CMAKE_CUDA_FLAGS_RELWITHDEBINFO "-O2 -DNDEBUG")
    if(CCACHE_PROGRAM)
      set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
    endif()
    enable_language(CUDA)
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake 3.25 does not know that nvcc 12 has it
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    find_package(CUDAToolkit ${ATTNRT_CUDA_LEAST} REQUIRED)
    set(ATTNRT_HAS_CUDA TRUE)
    message(STATUS "CUDA plugins: yes, nvcc ${version}")
  elseif(ATTNRT_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA plugins: no, nvcc ${ATTNRT_CUDA_LEAST} or newer was not found (found: '${version}')")
  else()
    message(FATAL_ERROR "ATTNRT_CUDA is ${ATTNRT_CUDA}, but nvcc ${ATTNRT_CUDA_LEAST} or newer was not found "
      "(found: '${version}'): install the CUDA Toolkit, put nvcc on the PATH, or configure with -DATTNRT_CUDA=OFF")
  endif()
endif()

# Devices whose code is in the binaries: 80 also runs on 86 and 89, 100f and 120f on their families.
set(ATTNRT_CUDA_DEVICES 80 90 100f 120f)

# attnrt_cuda_options(target): how our device code is compiled.
function(attnrt_cuda_options target)
  foreach(device IN LISTS ATTNRT_CUDA_DEVICES)
    list(APPEND code "SHELL:-gencode arch=compute_${device},code=sm_${device}")
  endforeach()
  list(APPEND code "SHELL:-gencode arch=compute_120,code=compute_120")
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>
    "$<$<COMPILE_LANGUAGE:CUDA>:${code}>")
  if(ATTNRT_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
endfunction()
