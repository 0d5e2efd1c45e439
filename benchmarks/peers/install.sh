#!/usr/bin/env bash
# Makes the Python environment that compare.py measures the peers in, in the user's cache folder, or completes it.
# About 1.5 GB to download, 4 GB of disk; ggml is compiled for this machine (two minutes). Does nothing when all is
# there; fails where there is no network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/peers

# install FILE [OPTIONS…]: pip, once for each version of FILE. The copy kept in the environment says what it holds.
install() {
  local requirements=$here/$1 installed=$venv/$1
  shift
  cmp -s "$requirements" "$installed" && return
  "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
    --retries 2 --timeout 60 "$@" -r "$requirements"
  cp "$requirements" "$installed"
}

if [ $# -gt 0 ]; then
  echo "usage: install.sh (it takes no options)" >&2
  exit 2
fi
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
fi
if ldconfig -p | grep -q 'libcudart\.so\.13 '; then
  install requirements-torch.txt --no-deps
else
  install requirements-torch.txt # with CUDA's libraries, which torch can't be imported without
fi
install requirements.txt --no-deps
# Not from pip's cache: what lies there may have been compiled for another machine.
SKBUILD_CMAKE_DEFINE="GGML_NATIVE=ON;GGML_OPENMP=ON" \
  install requirements-ggml.txt --no-deps --no-cache-dir --no-binary libggml-python --force-reinstall
