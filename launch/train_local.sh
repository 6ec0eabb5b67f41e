#!/usr/bin/env bash
# Trains with N ranks on this machine, each with its share of the cores.
#
#   launch/train_local.sh [--build-dir DIR] N [options of lockstep train ...]
#
#   launch/train_local.sh 2 --data datasets/quickstart --run runs/first --epochs 3
#
# Ctrl-C once ends the run after the current step with everything saved; twice ends it at once. The exit code is the one
# of lockstep train. Environment variables that are set already (OMP_NUM_THREADS, MALLOC_..., OMPI_MCA_...) are kept.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

build=
while (($#)); do
  case $1 in
    --build-dir | --build-dir=*)
      take_build_dir "$@"
      shift $((taken - 1)) ;;
    -h | --help) print_help; exit 0 ;;
    *) break ;;
  esac
  shift
done
[[ ${1-} =~ ^[1-9][0-9]{0,3}$ ]] || usage_fail "the number of ranks comes first" "'${1-}'"
ranks=$1
shift
program=$(find_program ${build:+"$build"})
command -v mpirun >/dev/null || fail "mpirun is missing" "PATH" "run launch/setup.sh"

ranks_here=$ranks
source "$project_root/launch/env.sh"
((ranks <= cores)) ||
  warn "$ranks ranks share $cores cores" "this machine" "it works, slowly; for speed start at most $cores"

# --oversubscribe: mpirun counts cores, not hardware threads, and would refuse ranks that fit.
launch=(mpirun -np "$ranks" --oversubscribe "$program" train "$@")

# --- run it, and pass signals on --------------------------------------------------------------------------------------
# On SIGINT mpirun kills its ranks within a second, in the middle of a step. So it runs in a process group of its own,
# which a terminal's Ctrl-C doesn't reach, and gets SIGUSR2 instead, which it hands to all ranks: stop after this step.
set -m
"${launch[@]}" </dev/null &
mpirun_pid=$!
set +m

interrupts=0
on_interrupt() {
  interrupts=$((interrupts + 1))
  if ((interrupts == 1)); then
    say "Stopping after this step; once more to stop at once." >&2
    kill -USR2 "$mpirun_pid" 2>/dev/null || true
  else
    kill -TERM "$mpirun_pid" 2>/dev/null || true
  fi
}
trap on_interrupt INT TERM
trap 'kill -TERM "$mpirun_pid" 2>/dev/null || true' HUP

# A signal ends `wait` early, so wait again for as long as mpirun is there.
code=0
while true; do
  wait "$mpirun_pid" && code=0 || code=$?
  kill -0 "$mpirun_pid" 2>/dev/null || break
done
exit "$code"
