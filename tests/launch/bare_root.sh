#!/usr/bin/env bash
# Run by hand, some minutes: makes a bundle of a build folder (without CUDA), unpacks it in a bare Debian 12 that has Open MPI's
# runtime and no -dev package, and runs the quickstart's training there, without any network.
#
#   tests/launch/bare_root.sh BUILD_DIR [ROOT]      as root; needs debootstrap and its mirror (MIRROR, or Debian's own)
#
# ROOT: where the bare system is made, and used again (default: BUILD_DIR/bare-root).
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../../launch/common.sh"
(($# > 0)) || usage_fail "no build folder" "command line"
build=$(absolute_path "$1")
bare=$(absolute_path "${2:-$build/bare-root}")
((EUID == 0)) || fail "a system of its own takes root" "this user" "run it as root"
command -v debootstrap >/dev/null || fail "debootstrap is missing" "PATH" "apt-get install debootstrap"

(cd "$build" && cpack >/dev/null)
[[ -e $bare/etc/debian_version ]] ||
  debootstrap --variant=minbase --include=openmpi-bin bookworm "$bare" "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
rm -rf "$bare/opt/bundle"
mkdir -p "$bare/opt/bundle"
tar -xzf "$build"/lockstep-*.tar.gz -C "$bare/opt/bundle"
say "$(chroot "$bare" dpkg-query -W -f '${Package}\n' | grep -c -- '-dev$' || true) -dev packages there"
unshare --mount --net --fork bash -c '
  set -e
  ip link set lo up
  mount -t proc proc "$1/proc"
  mount -t sysfs sys "$1/sys"
  mount --rbind /dev "$1/dev"
  mount -t tmpfs shm "$1/dev/shm"
  exec chroot "$1" bash -c "cd /opt/bundle && lockstep-*/share/lockstep/launch/quickstart.sh"' bare "$bare"
