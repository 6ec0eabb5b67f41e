#!/usr/bin/env bash
# Sets up, builds everything, the CUDA part included, and runs the tests.
#
#   tests/run.sh [--cpu-only] [--build-dir DIR] [words for ctest ...]
#
#   tests/run.sh -L unit                only the label unit (others: ranks, system, gpu)
#   tests/run.sh -R sampler             only tests whose name holds "sampler"
#
#   --cpu-only        LibTorch for CPUs only and no CUDA part: fetches 0.6 GB instead of 2.8, takes 1.4 GB instead of 4.8.
#                     Without it no test compares with PyTorch in Python
#   --build-dir DIR   the build folder (default: build, in the checkout)
#
# Tests on real images find them through LOCKSTEP_TEST_DATA or at ../shared/data beside the checkout, tests on GPUs need
# some; without them they are skipped, and say so.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../launch/common.sh"

build=$project_root/build setup_words=(--cuda) with_cuda=ON
while (($#)); do
  case $1 in
    --cpu-only) setup_words=() with_cuda=OFF ;;
    --build-dir | --build-dir=*)
      take_build_dir "$@"
      shift $((taken - 1)) ;;
    -h | --help) print_help; exit 0 ;;
    *) break ;;
  esac
  shift
done

"$project_root/launch/setup.sh" --tests "${setup_words[@]}" --build-dir "$build"
configure "$build" -DLOCKSTEP_TESTS=ON -DLOCKSTEP_CUDA=$with_cuda
build_targets "$build" all
# Tests that start ranks or measure time are marked RUN_SERIAL, so that the others may run side by side.
exec ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(usable_cores)" "$@"
