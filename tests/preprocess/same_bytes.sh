#!/usr/bin/env bash
# Packing gives identical bytes for 1, 2 and 3 ranks and for 1 and 2 threads, raw and as JPEG, refused images included.
# usage: same_bytes.sh <lockstep-preprocess> <mpirun and its options …>
set -euo pipefail
program=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$program" --source generated --images 200 --side 96 --shard-mib 1 --threads 1 --output "$folder/reference"
"$program" --source generated --images 200 --side 96 --shard-mib 1 --threads 2 --output "$folder/threads-2"
for ranks in 1 2 3; do
  "$@" -np "$ranks" "$program" --source generated --images 200 --side 96 --shard-mib 1 --threads 2 --output "$folder/ranks-$ranks"
done

data=${LOCKSTEP_TEST_DATA:-${LOCKSTEP_SOURCE_DIR:-.}/../shared/data}
if [[ -d $data/odd-images ]]; then
  mkdir -p "$folder/photos/odd" "$folder/photos/flat"
  cp "$data"/odd-images/*.* "$folder/photos/odd/"
  cp "$data"/odd-images/pillow__*.png "$folder/photos/flat/"
  for store in raw jpeg; do
    for ranks in 1 2 3; do
      "$@" -np "$ranks" "$program" --source class-folders --input "$folder/photos" --side 200 --shard-mib 1 --store "$store" \
        --output "$folder/$store-$ranks" 2>"$folder/log-$ranks" || { cat "$folder/log-$ranks"; exit 1; }
    done
    grep -q "refused" "$folder/log-1"
    for ranks in 2 3; do diff -r "$folder/$store-1" "$folder/$store-$ranks"; done
  done
fi

for other in threads-2 ranks-1 ranks-2 ranks-3; do diff -r "$folder/reference" "$folder/$other"; done
echo "identical: $(find "$folder/reference" -type f | wc -l) files"
