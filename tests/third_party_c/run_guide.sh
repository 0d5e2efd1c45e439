#!/usr/bin/env bash
# run_guide.sh GUIDE FOLDER: follows a guide to the letter. Its blocks "```lang file=NAME" become
# files in FOLDER, its "```sh" blocks are run there one after the other. PREFIX: where attnrt is.
set -euo pipefail
guide=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
awk '
  /^```[a-z]+ file=/ { split($2, part, "="); into = part[2]; next }
  /^```sh$/          { into = "commands.sh"; next }
  /^```/             { into = ""; next }
  into != ""         { print > into }
' "$guide"
test -s commands.sh || { echo "$guide: expected a block of commands, found none" >&2; exit 1; }
export PATH="$PREFIX/bin:$PATH"
bash -euxo pipefail commands.sh
