# A Debian of its own in a folder, as other machines have it. Sourced after common.sh by scripts that are run by hand, as root.

# make_system ROOT SUITE PACKAGES: unless it is there. Takes debootstrap and its mirror (MIRROR, or Debian's own).
make_system() {
  ((EUID == 0)) || fail "a system of its own takes root" "this user" "run it as root"
  command -v debootstrap >/dev/null || fail "debootstrap is missing" "PATH" "apt-get install debootstrap"
  [[ ! -e $1/etc/lockstep-system ]] || return 0
  debootstrap --variant=minbase --include="$3" "$2" "$1" "${MIRROR:-http://deb.debian.org/debian}" >/dev/null ||
    fail "debootstrap failed" "$1/debootstrap/debootstrap.log" "see its last lines; remove $1, then run this script again"
  touch "$1/etc/lockstep-system"
}

# in_system ROOT COMMAND: with processes, devices and shared memory, which are gone afterwards. UNSHARE: more words for unshare.
in_system() {
  unshare --mount ${UNSHARE:-} --fork bash -c '
    set -e
    root=$1
    shift
    ip link set lo up 2>/dev/null || true
    mount -t proc proc "$root/proc"
    mount -t sysfs sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs shm "$root/dev/shm"
    exec chroot "$root" "$@"' in_system "$@"
}
