#!/usr/bin/env bash
# Checks the CUDA plugins on this machine's GPU: builds them, then tools/cuda/gpu_check.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/script/steps.sh

usage() {
  cat <<'TEXT'
usage: tools/gpu_check.sh [--prebuilt BUILD] [OPTIONS of tools/cuda/gpu_check.py]

Builds the plugins, the command and the conformance suite (--prebuilt: takes what BUILD holds), runs the suite on
every CUDA plugin and compute-sanitizer on ours, measures them beside FlashInfer, cuDNN, PyTorch and FlashAttention
where this machine has them (benchmarks/peers/gpu/install.sh, then compare.py --prepare), and writes
docs/gpu/NAME.json and NAME.md for the GPU. Needs a GPU and its driver: ends with 77 where there is none.
TEXT
}

build_dir="" options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --prebuilt)
      [ $# -gt 1 ] || die "--prebuilt needs a folder"
      build_dir=$2
      shift
      ;;
    -h | --help) usage && exit ;;
    *) options+=("$1") ;;
  esac
  shift
done
if ! nvidia-smi -L >/dev/null 2>&1; then
  say "No GPU: nvidia-smi is not there or finds none."
  exit 77
fi
if [ -z "$build_dir" ]; then
  build_dir=build/release
  configure release -DATTNRT_CUDA=ON -DATTNRT_BUILD_TESTS=ON || die "the configuration failed"
  build release attnrt_runtime conformance_test || die "the build failed"
fi
exec python3 tools/cuda/gpu_check.py "$build_dir" "${options[@]}"
