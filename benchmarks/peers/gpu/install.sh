#!/usr/bin/env bash
# Makes the Python environment that compare.py measures the peers in, in the user's cache folder, or completes it. Several
# gigabytes to download. Does nothing when all is there; fails where there is no network. What FlashInfer compiles at first
# use, compare.py --prepare has it compile.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/gpu-peers

if [ $# -gt 0 ]; then
  echo "usage: install.sh (it takes no options)" >&2
  exit 2
fi
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
fi
# The copy kept in the environment says what it holds.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --retries 2 --timeout 60 \
    -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
echo "$venv/bin/python"
