#!/usr/bin/env bash
# Fetches cudnn-frontend's headers, by name, version and hash, into the user's cache folder, where cmake finds them.
# Does nothing when they are there; fails where there is no network.
set -euo pipefail
readonly VERSION=1.32.0 # cmake/AttnrtCudnn.cmake names it too
readonly SHA256=c6006556017a4d1c914c52a556c71b1267f2d6a0500f742e7b4edef539878df0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt
folder=$cache/cudnn-frontend-$VERSION

if [ $# -gt 0 ]; then
  echo "usage: cudnn_frontend.sh (it takes no options)" >&2
  exit 2
fi
[ -f "$folder/include/cudnn_frontend.h" ] && exit
bash "$here/install.sh" # for its pip
work=$(mktemp -d "$cache/cudnn-frontend.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "nvidia-cudnn-frontend==$VERSION --hash=sha256:$SHA256" >"$work/requirements.txt"
# One wheel, whatever Python is here: its headers are the same in all of them.
"$cache/cuda/bin/python" -m pip download --no-deps --require-hashes --only-binary=:all: --disable-pip-version-check \
  --progress-bar off --retries 2 --timeout 20 --python-version 3.11 --implementation cp --abi cp311 \
  --platform manylinux_2_28_x86_64 -d "$work" -r "$work/requirements.txt"
"$cache/cuda/bin/python" - "$work" <<'PYTHON'
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(work / "all", [n for n in archive.namelist() if n.startswith("include/") or "licenses" in n.lower()])
PYTHON
rm -rf "$folder"
mv "$work/all" "$folder"
