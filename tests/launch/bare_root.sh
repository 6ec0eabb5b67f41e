#!/usr/bin/env bash
# Run by hand, some minutes: makes a bundle of a build folder (without CUDA), unpacks it in a bare Debian 12 that has Open MPI's
# runtime and no -dev package, and runs the quickstart's training there, without any network.
#
#   tests/launch/bare_root.sh BUILD_DIR [ROOT]      as root; needs debootstrap and its mirror (MIRROR, or Debian's own)
#
# ROOT: where the bare system is made, and used again (default: BUILD_DIR/bare-root).
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../../launch/common.sh"
source "$project_root/tests/launch/other_system.sh"
case ${1:-} in
  -h | --help) print_help; exit 0 ;;
  '') usage_fail "no build folder" "command line" ;;
esac
build=$(absolute_path "$1")
bare=$(absolute_path "${2:-$build/bare-root}")

(cd "$build" && cpack >/dev/null)
make_system "$bare" bookworm openmpi-bin
rm -rf "$bare/opt/bundle"
mkdir -p "$bare/opt/bundle"
tar -xzf "$build"/lockstep-*.tar.gz -C "$bare/opt/bundle"
say "$(chroot "$bare" dpkg-query -W -f '${Package}\n' | grep -c -- '-dev$' || true) -dev packages there"
UNSHARE=--net in_system "$bare" bash -c "cd /opt/bundle && lockstep-*/share/lockstep/launch/quickstart.sh"
