# What the scripts of launch/ and tests/ share. Sourced, not run. The caller has said `set -euo pipefail`.

# This checkout, whatever the current directory and whichever link the script was called through.
project_root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)

# Whether these scripts were installed beside programs, instead of lying in a checkout that builds them.
installed() { [[ ! -f $project_root/CMakeLists.txt ]]; }

say() { printf '%s\n' "$*"; }

# warn WHAT WHERE HOW and fail WHAT WHERE HOW speak as the program does: what is wrong · where · how to fix it.
warn() { printf 'warning: %s · %s · %s\n' "$1" "$2" "$3" >&2; }
fail() {
  printf 'error: %s · %s · %s\n' "$1" "$2" "$3" >&2
  exit "${4:-1}"
}

# usage_fail WHAT WHERE: a wrong command line, exit code 2 as in the program.
usage_fail() { fail "$1" "$2" "see $0 --help" 2; }

# The comment block at the top of the calling script, without its marks, is its help.
print_help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }

# Cores this process may use: nproc looks at the affinity mask, which Slurm, taskset and containers narrow. It is asked
# without OMP_NUM_THREADS, which it would believe instead.
usable_cores() { env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc; }

# The program of a build folder; of the checkout's own, or of what was installed with this script, where none is named.
find_program() {  # [BUILD_DIR [HINT]]
  local candidate candidates=("$project_root/build/bin/lockstep" "$project_root/../../bin/lockstep")
  [[ -z ${1:-} ]] || candidates=("$1/bin/lockstep")
  for candidate in "${candidates[@]}"; do
    [[ ! -x $candidate ]] || { realpath -s -- "$candidate"; return; }
  done
  fail "the program is not built" "${1:-$project_root/build}/bin/lockstep" "${2:-run launch/quickstart.sh, or pass --build-dir DIR}"
}

# absolute_path PATH: relative ones are meant from where the user stands; PATH need not exist.
absolute_path() { realpath -m -- "$1"; }

# Compilers at once: a source with LibTorch's headers takes up to 2 GiB, and a machine that swaps builds nothing.
build_jobs() {
  local cores memory
  cores=$(usable_cores)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 2097152) }' /proc/meminfo)
  ((memory < cores)) && cores=$memory
  ((cores > 0)) && echo "$cores" || echo 1
}

# take_build_dir --build-dir DIR | --build-dir=DIR, then any words: sets `build`, and `taken` to the words that took.
take_build_dir() {
  taken=1
  if [[ $1 == --build-dir ]]; then
    (($# > 1)) || usage_fail "--build-dir needs a folder" "command line"
    taken=2
    build=$(absolute_path "$2")
  else
    build=$(absolute_path "${1#*=}")
  fi
}

# configure BUILD_DIR [OPTION...]: for CMake.
configure() {
  local build=$1
  shift
  cmake -S "$project_root" -B "$build" -G Ninja "$@" ||
    fail "CMake can't configure the build" "$build" "see its message above; launch/setup.sh installs what is missing"
}

# build_targets BUILD_DIR TARGET...: configured on the first time only; later ninja does that itself when it is needed.
build_targets() {
  local build=$1 target
  local targets=()
  shift
  for target in "$@"; do targets+=(--target "$target"); done
  [[ -f $build/build.ninja ]] || configure "$build"
  cmake --build "$build" --parallel "$(build_jobs)" "${targets[@]}" ||
    fail "the build failed" "$build" "see the compiler's message above; then run $0 again, it goes on from here"
}
