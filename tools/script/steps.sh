# shellcheck shell=bash
# Sourced by the scripts of tools/: one line a step, with its time; what a step prints goes to a log file.

# What ccache has from one checkout serves the next, wherever it lies.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# step TITLE LOG COMMAND…: runs it without input. A failure shows the log's end and is the result.
step() {
  local title=$1 log=$2 start=$SECONDS watcher="" status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  : >"$log"
  printf '%s (log: %s) … ' "$title" "$log"
  if [ -t 1 ]; then
    watch_log "$log" &
    watcher=$!
  fi
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  if [ -n "$watcher" ]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    printf '\r\033[K%s (log: %s) … ' "$title" "$log"
  fi
  if [ "$status" -eq 0 ]; then
    say "$((SECONDS - start)) s"
  else
    say "failed after $((SECONDS - start)) s"
    tail -n 25 "$log" | sed 's/^/  | /'
  fi
  return "$status"
}

# On a terminal only: how far Ninja or CTest has come, behind the step's title.
watch_log() {
  local done_part shown=""
  while sleep 1; do
    done_part=$(tail -c 4000 "$1" | grep -oE '\[ *[0-9]+/[0-9]+\]| [0-9]+/[0-9]+ Test' | tail -n 1 | grep -oE '[0-9]+/[0-9]+' || true)
    [ -z "$done_part" ] && continue
    printf '%*s' "${#shown}" '' | tr ' ' '\b'
    printf '%s' "$done_part"
    shown=$done_part
  done
}

# configure PRESET [CMAKE OPTIONS…]; build PRESET [TARGETS…]
configure() {
  local preset=$1
  shift
  step "Configuring $preset" "build/log/$preset-configure.log" cmake --preset "$preset" "$@"
}

build() {
  local preset=$1 targets=()
  shift
  [ $# -gt 0 ] && targets=(--target "$@")
  step "Building $preset" "build/log/$preset-build.log" \
    cmake --build "build/$preset" --parallel "$(nproc)" "${targets[@]}"
}
