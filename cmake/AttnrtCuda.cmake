# Looks for nvcc. ATTNRT_CUDA says whether CUDA's plugins are built: ON (or it is an error), OFF, or AUTO: where
# nvcc 12.8 or newer is found. Their manifests are there in any case (<build>/manifests), for planning.
set(ATTNRT_CUDA AUTO CACHE STRING "Build the CUDA plugins: ON, OFF or AUTO")
set_property(CACHE ATTNRT_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ATTNRT_CUDA_LEAST 12.8)
set(ATTNRT_HAS_CUDA FALSE)

if(ATTNRT_CUDA STREQUAL "AUTO" AND (ATTNRT_SANITIZE OR ATTNRT_PLUGINS_ONLY OR CMAKE_CROSSCOMPILING))
  message(STATUS "CUDA plugins: no, not with a sanitizer, ATTNRT_PLUGINS_ONLY or for another machine")
elseif(ATTNRT_CUDA)
  find_program(ATTNRT_NVCC nvcc HINTS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  set(ATTNRT_NVCC_VERSION "")
  if(ATTNRT_NVCC)
    execute_process(COMMAND ${ATTNRT_NVCC} --version OUTPUT_VARIABLE text ERROR_QUIET)
    if(text MATCHES "release [0-9.]+, V([0-9.]+)")
      set(ATTNRT_NVCC_VERSION ${CMAKE_MATCH_1})
    endif()
  endif()
  set(why "nvcc ${ATTNRT_CUDA_LEAST} or newer was not found (found: '${ATTNRT_NVCC_VERSION}')")
  if(ATTNRT_NVCC AND ATTNRT_NVCC_VERSION VERSION_GREATER_EQUAL ATTNRT_CUDA_LEAST)
    set(CMAKE_CUDA_ARCHITECTURES OFF) # our own list, below
    set(ENV{CUDACXX} ${ATTNRT_NVCC})
    include(CheckLanguage)
    check_language(CUDA)
    find_package(CUDAToolkit ${ATTNRT_CUDA_LEAST} QUIET)
    if(CMAKE_CUDA_COMPILER AND CUDAToolkit_FOUND)
      set(ATTNRT_HAS_CUDA TRUE)
    else()
      set(why "${ATTNRT_NVCC} compiles nothing here, or its toolkit is incomplete")
    endif()
  endif()
  if(ATTNRT_HAS_CUDA)
    message(STATUS "CUDA plugins: yes, nvcc ${ATTNRT_NVCC_VERSION}")
  elseif(ATTNRT_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA plugins: no, ${why}")
  else()
    message(FATAL_ERROR "ATTNRT_CUDA is ${ATTNRT_CUDA}, but ${why}: install the CUDA Toolkit, put nvcc on the PATH, "
      "or configure with -DATTNRT_CUDA=OFF")
  endif()
endif()

if(ATTNRT_HAS_CUDA)
  set(CMAKE_CUDA_FLAGS_RELWITHDEBINFO "-O2 -DNDEBUG")
  if(CCACHE_PROGRAM)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake 3.25 does not know that nvcc 12 has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
endif()

# attnrt_cuda_options(target): how our device code is compiled. 80 also runs on 86 and 89, 100 on 103, 120 on 121; later
# devices take the PTX. No source asks for more than 90 has (bulk copies), so that its PTX also makes 100 and 120: PTX of
# their own took half as long again, and gave 1 % fewer instructions in all, other loops being unrolled.
function(attnrt_cuda_options target)
  set(code
    "SHELL:-gencode arch=compute_80,code=sm_80"
    "SHELL:-gencode arch=compute_90,code=[sm_90,sm_100,sm_120,compute_90]")
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>
    "$<$<COMPILE_LANGUAGE:CUDA>:${code}>")
  if(ATTNRT_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
endfunction()
