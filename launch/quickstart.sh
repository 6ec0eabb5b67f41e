#!/usr/bin/env bash
# From a fresh checkout to a trained and judged model: set-up, build, a generated data set, two ranks, evaluation.
#
#   launch/quickstart.sh [--build-dir DIR]
#
# Writes below the checkout: build/ (or DIR), datasets/quickstart and runs/quickstart-N, a new N each time. What is there
# already is used again. The first run fetches 0.6 GB and builds for some minutes; the rest takes about half a minute. Where
# the programs are installed already (launch/ is not in a checkout), there is no build, and all is written below the current
# directory.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

build=
while (($#)); do
  case $1 in
    --build-dir | --build-dir=*)
      take_build_dir "$@"
      shift $((taken - 1)) ;;
    -h | --help) print_help; exit 0 ;;
    *) usage_fail "unknown option" "$1" ;;
  esac
  shift
done
data=datasets/quickstart

step() { printf '\n== %s\n' "$*"; }

first_free_run() {
  local number=1
  while [[ -e runs/quickstart-$number ]]; do ((++number)); done
  printf 'runs/quickstart-%d' "$number"
}

if installed; then
  [[ -z $build ]] || usage_fail "there is nothing to build" "--build-dir"
  launch=$project_root/launch
else
  cd "$project_root"
  launch=launch
  : "${build:=$project_root/build}"
  step "1/5  Set-up"
  launch/setup.sh --build-dir "$build"

  step "2/5  Build"
  build_targets "$build" lockstep lockstep-preprocess
fi
lockstep=$(find_program ${build:+"$build"})

started=$SECONDS
step "3/5  Data set: 6000 generated pictures of ten shapes in $data"
if [[ -f $data/manifest.json ]]; then  # written last, so the set is complete
  say "there already; to make it anew: rm -r $data"
else
  rm -rf "$data"  # what an interrupted run left
  "$lockstep" preprocess --source generated --output "$data" --images 6000 --side 32
fi

run=$(first_free_run)
step "4/5  Training on 2 ranks: $run"
"$launch/train_local.sh" ${build:+--build-dir "$build"} 2 --data "$data" --run "$run" --filters 32,64,128 --dense 128 \
  --activation mish --dropout-conv 0.1 --dropout-dense 0.2 --epochs 6

step "5/5  Evaluation on the test split, which training has not seen"
"$lockstep" evaluate --run "$run" --split test

say "
Done in $((SECONDS - started)) s after the build. Where to look next, in $run/:
  log.jsonl      every epoch and step: loss, accuracy, images/s, wait for data
  metrics.json   what the evaluation found: confusion matrix, precision, recall, F1, curves, calibration
  predictions.h5 the scores of every sample, from which all of that can be computed again
  config.ini     this training, complete
and with your own images, a folder for each class:
  $lockstep preprocess --source class-folders --input YOUR_IMAGES --output datasets/yours
  $launch/train_local.sh 2 --data datasets/yours --run runs/first --config ${launch%launch}configs/custom_cnn.ini
  $lockstep train --help"
