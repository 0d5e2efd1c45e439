#!/usr/bin/env bash
# Makes the environment of tools/cuda/gates.py in the user's cache folder, or completes it. Does nothing when all is
# there; fails where there is no network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/cuda

if [ $# -gt 0 ]; then
  echo "usage: install.sh (it takes no options)" >&2
  exit 2
fi
cmp -s "$here/requirements.txt" "$venv/requirements.txt" && exit
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
fi
"$venv/bin/python" -m pip install --no-deps --disable-pip-version-check --progress-bar off \
  --retries 2 --timeout 20 -r "$here/requirements.txt"
cp "$here/requirements.txt" "$venv/requirements.txt"
