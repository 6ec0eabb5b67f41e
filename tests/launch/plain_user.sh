#!/usr/bin/env bash
# Run by hand, half an hour: what a user without root meets on a Debian 13 of its own. Set-up says which libraries are missing;
# its administrator types the line that it printed; then the user, in a clone of this checkout's last commit, runs the
# quickstart and the tests of the labels unit and ranks.
#
#   tests/launch/plain_user.sh ROOT      as root; needs debootstrap and its mirror (MIRROR, or Debian's own), and PyPI
#
# ROOT: where the system is made; used again, but for the user and what they have.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../../launch/common.sh"
source "$project_root/tests/launch/other_system.sh"
case ${1:-} in
  -h | --help) print_help; exit 0 ;;
  '') usage_fail "no folder for the system" "command line" ;;
esac
system=$(absolute_path "$1")
user=ann

make_system "$system" trixie git,ca-certificates
# The network's names and certificates are this machine's.
cp /etc/resolv.conf /etc/hosts "$system/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
chroot "$system" userdel --remove "$user" 2>/dev/null || true
chroot "$system" useradd --create-home --shell /bin/bash "$user"
git clone --quiet --no-local "$project_root" "$system/home/$user/lockstep"
chroot "$system" chown -R "$user:" "/home/$user/lockstep"

as_user() { in_system "$system" su "$user" -c "cd ~/lockstep && $1"; }
if [[ ! -e $system/etc/lockstep-libraries ]]; then
  said=$(as_user "launch/setup.sh --tests --check-only" || true)
  say "$said"
  install=$(sed -n "s/^ *sudo sh -c '\(.*\)'$/\1/p" <<<"$said")
  [[ -n $install ]] || fail "set-up names no way to the libraries" "launch/setup.sh" "see what it said, above"
  in_system "$system" env DEBIAN_FRONTEND=noninteractive sh -c "$install" >/dev/null
  touch "$system/etc/lockstep-libraries"
fi
as_user "git log -1 --oneline && launch/quickstart.sh && tests/run.sh --cpu-only -L 'unit|ranks' && git status --short"
