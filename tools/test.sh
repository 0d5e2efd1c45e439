#!/usr/bin/env bash
# Builds and runs the tests: all of them as a release, then a counted part, or all, under the sanitizers
# and for AArch64 in QEMU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/script/steps.sh

# What a sanitized build is made of unless --full: the folders of tests/ where memory or threads are at
# stake. The others are arithmetic on values, or the same code once more.
readonly ASAN_FOLDERS=(manifest load cache config codec run bench plugins simt)
readonly TSAN_FOLDERS=(cache run bench plugins/cpu)
# What takes longest in QEMU and under tsan, which is mostly the oracle: masks and switches one by one
# (they stay in Features/everything), every shape of nvfp4.
readonly SLOWEST='Features.*/[^e]|ScalesForEveryBlock'
readonly NONE='^$'
# Minutes that a run takes at the most unless --full, and what a part takes as a share of the release's time: a
# machine that would be over them leaves the part out and says so.
readonly MINUTES=85
readonly ASAN_SHARE=0.65 TSAN_SHARE=0.2 EMULATED_SHARE=0.2

passed=0 failed=0 full=no emulated=too release_seconds=0 left_out=()

usage() {
  cat <<TEXT
usage: tools/test.sh [--full | --emulated]

Installs what is missing, then configures, builds and tests the presets release, asan, tsan and aarch64. A part that
would end later than $MINUTES minutes from the start is left out; the summary names it.

  --full       all tests under the sanitizers and in QEMU too, not only a part
  --emulated   the preset aarch64 alone, all its tests
  --help       this text
TEXT
}

main() {
  local start=$SECONDS
  case "${1:-}" in
    "") ;;
    --full) full=yes ;;
    --emulated) full=yes emulated=only ;;
    -h | --help) usage && return ;;
    *) usage >&2 && die "unknown option '$1'" ;;
  esac
  bash tools/setup.sh
  if [ "$emulated" = only ]; then
    emulate
    summary $((SECONDS - start))
    return
  fi
  step "Python environment of tools/record" build/log/python.log bash tools/record/install.sh ||
    say "No network? The tests of tools/record will be skipped."
  step "cuobjdump, for the gates of the CUDA kernels" build/log/cuda.log bash tools/cuda/install.sh ||
    say "No network? The gates of the CUDA kernels will be skipped."
  step "Headers of cudnn-frontend" build/log/cudnn.log bash tools/cuda/cudnn_frontend.sh ||
    say "No network? The cudnn plugin will be absent, but for its manifest."
  step "FlashInfer's headers" build/log/flashinfer.log bash tools/cuda/flashinfer_headers.sh ||
    say "No network? The plugin flashinfer will be skipped."
  release_seconds=-$SECONDS
  build_and_test release
  release_seconds=$((release_seconds + SECONDS))
  if [ "$full" = yes ]; then
    build_and_test asan
    build_and_test tsan
  else
    in_time asan "$ASAN_SHARE" && part asan "$NONE" "${ASAN_FOLDERS[@]}"
    in_time tsan "$TSAN_SHARE" && part tsan "$SLOWEST" "${TSAN_FOLDERS[@]}"
  fi
  # On such a machine the release was just that.
  if [ "$(uname -m)" != aarch64 ] && in_time aarch64 "$EMULATED_SHARE"; then
    emulate
  fi
  summary $((SECONDS - start))
}

# in_time PART SHARE: whether a part that takes this share of the release's time ends within MINUTES.
in_time() {
  [ "$full" = yes ] && return
  awk -v now="$SECONDS" -v release="$release_seconds" -v share="$2" -v most="$((60 * MINUTES))" \
    'BEGIN { exit !(now + share * release <= most) }' && return
  say "$1: left out, it would end later than $MINUTES minutes from the start (--full runs all)"
  left_out+=("$1")
  return 1
}

# Everything of a preset. Warnings are errors where nothing is instrumented: sanitizers make g++ warn of what is right.
build_and_test() {
  local strict=OFF
  [ "$1" = release ] && strict=ON
  configure "$1" -DATTNRT_BUILD_TESTS=ON -DATTNRT_WARNINGS_AS_ERRORS=$strict || die "the configuration failed"
  build "$1" || die "the build failed"
  run_tests "$1" .
}

# part PRESET LEFT_OUT FOLDERS…: only these folders of tests/ are built and run, but for tests of such a name.
part() {
  local preset=$1 left_out=$2 folder folders=() targets=()
  shift 2
  configure "$preset" -DATTNRT_BUILD_TESTS=ON || die "the configuration failed"
  for folder in "$@"; do
    # A plugin's tests are only there if the plugin is.
    [ -f "build/$preset/tests/$folder/CTestTestfile.cmake" ] || continue
    folders+=("tests/$folder")
    targets+=("tests/$folder/all")
  done
  build "$preset" "${targets[@]}" || die "the build failed"
  say "$preset: $(count_tests "$preset" "$left_out" "${folders[@]}") tests chosen of $(count_tests release "$NONE" .) (--full runs all)"
  for folder in "${folders[@]}"; do
    run_tests "$preset" "$folder" -E "$left_out"
  done
}

# The cpu plugin for AArch64, against the oracle. Nothing of the library's dependencies is built for it.
emulate() {
  [ -f plugins/cpu/CMakeLists.txt ] || return 0
  if ! bash tools/setup.sh --emulated; then
    [ "$emulated" = only ] && die "what --emulated needs is not there"
    say "No network? The tests for AArch64 will be skipped."
    return
  fi
  local chosen=()
  [ "$full" = yes ] || chosen=(-E "$SLOWEST")
  configure aarch64 -DATTNRT_BUILD_TESTS=ON -DATTNRT_WARNINGS_AS_ERRORS=ON || die "the configuration failed"
  build aarch64 || die "the build failed"
  [ "$full" = yes ] || say "aarch64: all tests of $(count_tests aarch64 "$NONE" .) but $SLOWEST (--full runs those too)"
  run_tests aarch64 . "${chosen[@]}"
}

# run_tests PRESET FOLDER [CTEST OPTIONS…]: a folder of the build tree, "." for all. Counts what CTest counted.
run_tests() {
  local preset=$1 folder=$2 log=build/log/$1-test-${2//\//-}.log title="Testing $1"
  shift 2
  [ "$folder" = . ] && log=build/log/$preset-test.log || title="$title, $folder"
  step "$title" "$log" ctest --test-dir "build/$preset/$folder" --output-on-failure --no-tests=error \
    -j "$(nproc)" "$@" || true
  local counts
  counts=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$log")
  [ -n "$counts" ] || die "$log: CTest ran no test"
  read -r bad all <<<"$counts"
  failed=$((failed + bad)) passed=$((passed + all - bad))
  say "  $((all - bad)) of $all passed"
  # CTest's own lists of what failed and what was skipped.
  sed -n '/^The following tests/,$p' "$log" | sed '/^Errors while running/d; /^$/d; s/^/  /'
}

# count_tests PRESET LEFT_OUT FOLDERS…
count_tests() {
  local preset=$1 left_out=$2 folder sum=0
  shift 2
  for folder in "$@"; do
    sum=$((sum + $(ctest --test-dir "build/$preset/$folder" -N -E "$left_out" | sed -n 's/^Total Tests: //p')))
  done
  echo "$sum"
}

# Ends like CTest.
summary() {
  local all=$((passed + failed))
  say ""
  say "$((100 * passed / all))% tests passed, $failed tests failed out of $all"
  say "Total Test time (real) = $1 s"
  [ ${#left_out[@]} -eq 0 ] || say "Left out on this machine, which is too slow for them: ${left_out[*]}"
  [ "$failed" -eq 0 ]
}

main "$@"
