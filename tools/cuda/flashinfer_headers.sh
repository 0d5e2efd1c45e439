#!/usr/bin/env bash
# Fetches FlashInfer's headers into the user's cache folder: the wheel by name, version and hash, of which include and
# cccl are unpacked. Prints their folder. Fetches nothing when they are there; fails where there is no network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/flashinfer
requirements=$here/flashinfer_requirements.txt

if [ $# -gt 0 ]; then
  echo "usage: flashinfer_headers.sh (it takes no options)" >&2
  exit 2
fi
if ! cmp -s "$requirements" "$folder/requirements.txt"; then
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip download --no-deps --require-hashes --disable-pip-version-check --progress-bar off \
    --retries 2 --timeout 20 -d "$folder/wheel" -r "$requirements" >&2
  python3 - "$folder" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
(wheel,) = folder.glob("wheel/*.whl")
with zipfile.ZipFile(wheel) as archive:
    wanted = ("flashinfer/data/include/", "flashinfer/data/cccl/")
    archive.extractall(folder, [n for n in archive.namelist() if n.startswith(wanted) or "/licenses/" in n])
PYTHON
  rm -rf "$folder/venv" "$folder/wheel"
  cp "$requirements" "$folder/requirements.txt"
fi
echo "$folder/flashinfer/data"
