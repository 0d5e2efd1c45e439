#!/usr/bin/env bash
# Installs what building and testing attnrt needs, on Debian 12, Ubuntu 24.04 and newer; with --emulated
# also what building for AArch64 and running that here takes. Unattended; says what it installs; quiet
# when everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/script/steps.sh

PACKAGES=(
  g++ cmake ninja-build ccache git ca-certificates
  make # what CMake takes where a plugin's author names no generator
  libboost-dev libboost-filesystem-dev libboost-context-dev libyaml-cpp-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libpng-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-venv # the recording of real models
)
[ "$(uname -m)" = aarch64 ] && PACKAGES+=(libhwy-dev) # the kernels for NEON
readonly EMULATION=(g++-aarch64-linux-gnu qemu-user libhwy-dev)

main() {
  case "${1:-}" in
    "") ;;
    --emulated) PACKAGES+=("${EMULATION[@]}") ;;
    -h | --help)
      say "usage: tools/setup.sh [--emulated]"
      say "Installs with apt, where missing: ${PACKAGES[*]}"
      say "With --emulated also: ${EMULATION[*]}"
      return
      ;;
    *) die "unknown option '$1' (there are --emulated and --help)" ;;
  esac
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    elsewhere
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  [ "${#missing[@]}" -eq 0 ] && return
  install "${missing[@]}"
}

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

install() {
  local as_root
  as_root=$(how_to_be_root) || die "these packages are missing: $*
Neither root nor sudo without a password is at hand. As root: apt-get update && apt-get install -y $*"
  say "Installing with apt, since they are missing: $*"
  # shellcheck disable=SC2086  # as_root is empty or several words
  step "Updating the package lists" build/log/apt-update.log $as_root apt-get -o Acquire::Retries=3 -q update ||
    die "apt-get update failed: is there a network?"
  # shellcheck disable=SC2086
  step "Installing" build/log/apt-install.log \
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    -q -y --no-install-recommends install "$@" || die "apt-get install failed"
}

# Prints what to put before a command. Only somebody at a terminal can be asked for a password.
how_to_be_root() {
  if [ "$(id -u)" -eq 0 ]; then
    return 0
  fi
  command -v sudo >/dev/null || return 1
  if sudo -n true 2>/dev/null; then
    echo "sudo -n"
  elif [ -t 0 ] && [ -t 2 ]; then
    sudo -v && echo "sudo -n"
  else
    return 1
  fi
}

# Not Debian: the build itself will name a missing library; only its tools are checked here.
elsewhere() {
  local tool
  for tool in cmake ninja g++ python3; do
    command -v "$tool" >/dev/null ||
      die "$tool is missing and apt-get is not there to install it; needed, by their Debian names: ${PACKAGES[*]}"
  done
}

main "$@"
