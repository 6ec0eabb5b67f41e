#!/usr/bin/env bash
# What a user can do wrong ends with a sentence, the right exit code and nothing that could be taken for a data set.
# usage: failures.sh <lockstep-preprocess> <mpirun and its options …>
set -uo pipefail
program=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

# expect CODE PART COMMAND…: the command ends with CODE, says PART on stderr, and leaves no manifest in the folder "out".
# Shards that were finished before a failure stay there for the next try, with the journal that says so.
expect() {
  local code=$1 part=$2
  shift 2
  "$@" >stdout 2>stderr
  local got=$?
  if [[ $got != "$code" ]] || ! grep -qF -- "$part" stderr || [[ -e out/manifest.json || (-e out && ! -e out/.packing) ]]; then
    echo "FAILED: $*"
    echo "  exit $got, $code expected; '$part' expected in:"
    sed 's/^/  | /' stderr
    [[ -e out ]] && find out
    failed=1
  fi
  rm -rf out
}

mkdir -p photos/a photos/b
head -c 3000 /dev/urandom >photos/a/1.jpg
printf 'P6 2 2 255\n123456789012' | tee photos/b/1.ppm >photos/a/2.ppm

expect 2 "source" "$program" --output out
expect 2 "--sorce" "$program" --sorce idx --output out
expect 2 "side" "$program" --source generated --side 20000 --output out
expect 2 "validation" "$program" --source generated --validation nan --output out
expect 2 "--input" "$program" --source idx --output out
expect 1 "no such folder" "$program" --source class-folders --input nowhere --output out
expect 2 "no folder 'x'" "$program" --source class-folders --input photos --output out --folder-as x=y
expect 1 "a/1.jpg" "$program" --source class-folders --input photos --output out --strict

# Nothing stays that could be audited, so what is refused is named.
expect 1 "a/2.ppm (train, a) = b/1.ppm (train, b)" "$program" --source class-folders --input photos --output out \
  --fail-on conflicting-labels

# No space left, found in the middle: the limit on a file's size ends a write as a full disk does.
limited() { (trap '' XFSZ; ulimit -f 200; exec "$program" --source generated --images 300 --side 64 --output out); }
expect 1 "cannot" limited

# The same failures on several ranks: the run ends at once, with the same code.
expect 1 "no such folder" timeout 30 "$@" -np 3 "$program" --source class-folders --input nowhere --output out
expect 1 "a/1.jpg" timeout 30 "$@" -np 2 "$program" --source class-folders --input photos --output out --strict
expect 2 "--sorce" timeout 30 "$@" -np 2 "$program" --sorce idx --output out
expect 2 "no folder 'x'" timeout 30 "$@" -np 2 "$program" --source class-folders --input photos --output out --folder-as x=y

"$program" --help | grep -q "lockstep preprocess" || { echo "FAILED: --help"; failed=1; }
"$program" --source generated --output out --print-config | grep -q "source" || { echo "FAILED: --print-config"; failed=1; }
exit $failed
