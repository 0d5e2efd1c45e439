#!/usr/bin/env bash
# From a fresh clone to the table: installs what is missing, builds, records two real models, runs them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/script/steps.sh

readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/attnrt
readonly RECORDINGS=(smollm2-135m gemma3-270m)

usage() {
  cat <<'TEXT'
usage: tools/quickstart.sh [--synthetic]

Installs what the build needs, builds attnrt, fetches SmolLM2-135M and Gemma-3-270M (330 MB), records what
their layers ask of attention (380 MB in the user's cache folder, once), and runs every format on it.

  --synthetic   no download: run a seeded workload of the same shape instead
  --help        this text
TEXT
}

main() {
  local synthetic=no
  while [ $# -gt 0 ]; do
    case "$1" in
      --synthetic) synthetic=yes ;;
      -h | --help) usage && return ;;
      *) usage >&2 && die "unknown option '$1'" ;;
    esac
    shift
  done
  bash tools/setup.sh
  configure release || die "the configuration failed"
  build release attnrt_runtime || die "the build failed"
  if [ "$synthetic" = no ] && ! recorded; then
    fetch || synthetic=yes
  fi
  if [ "$synthetic" = no ]; then
    record
    run configs/quickstart.yaml
  else
    run configs/quickstart-synthetic.yaml
  fi
}

recorded() {
  local name
  for name in "${RECORDINGS[@]}"; do
    [ -f "$CACHE/$name.safetensors" ] || return 1
  done
}

# The models' files; 1: they can't be had, and nothing of the real models will be run.
fetch() {
  step "Fetching the models" build/log/fetch.log bash tools/record/install.sh --models && return
  say "The models could not be fetched (no network?); going on with seeded numbers of the same shape."
  return 1
}

record() {
  recorded && return
  say "Recording what the models ask of attention, once:"
  PYTHONPATH=tools "$CACHE/venv/bin/python" -m record "${RECORDINGS[@]}" || die "the models were not recorded"
}

run() {
  say ""
  exec build/release/bin/attnrt run "$1"
}

main "$@"
