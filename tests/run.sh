#!/usr/bin/env bash
# Sets up, builds everything and runs the tests.
#
#   tests/run.sh [--build-dir DIR] [words for ctest ...]
#
#   tests/run.sh -L unit                only the label unit (others: ranks, system)
#   tests/run.sh -R sampler             only tests whose name holds "sampler"
#
# Tests on real images find them through LOCKSTEP_TEST_DATA or at ../shared/data beside the checkout; without them they
# are skipped, and say so.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/../launch/common.sh"

build=$project_root/build
case ${1-} in
  --build-dir)
    (($# > 1)) || usage_fail "--build-dir needs a folder" "command line"
    build=$(absolute_path "$2")
    shift 2 ;;
  --build-dir=*) build=$(absolute_path "${1#*=}"); shift ;;
  -h | --help) print_help; exit 0 ;;
esac

"$project_root/launch/setup.sh" --tests --build-dir "$build"
build_targets "$build" all
# Tests that start ranks or measure time are marked RUN_SERIAL, so that the others may run side by side.
exec ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(usable_cores)" "$@"
