#!/usr/bin/env bash
# Fetches MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100 from their official addresses, checked, ready for lockstep preprocess.
#
#   launch/fetch_datasets.sh mnist|fashion-mnist|cifar10|cifar100 [options]
#
#   --output DIR   the folder for the files (default: datasets/originals/SET, in the checkout)
#   --mirror URL   fetch from there instead (http, https or file; the files' names are put behind)
#   --from DIR     take the files from a folder, fetched elsewhere, instead of the network
#   --check-only   say what is missing or damaged, change nothing; exit code 1 if anything is
#
# A file gets its name when its SHA-256 is right; until then it is NAME.partial, from which the next run goes on. Addresses,
# sizes and checksums stand in launch/datasets.txt. Proxies are taken from http_proxy and https_proxy, as usual.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

table=$project_root/launch/datasets.txt
set_name='' output='' mirror='' from='' check_only=false
while (($#)); do
  case $1 in
    --check-only) check_only=true ;;
    --output | --mirror | --from)
      (($# > 1)) || usage_fail "$1 needs a value" "command line"
      declare "${1#--}=$2"
      shift ;;
    --output=* | --mirror=* | --from=*)
      option=${1%%=*}
      declare "${option#--}=${1#*=}" ;;
    -h | --help) print_help; exit 0 ;;
    -*) usage_fail "unknown option" "$1" ;;
    *)
      [[ -z $set_name ]] || usage_fail "one data set at a time" "$1"
      set_name=$1 ;;
  esac
  shift
done

# --- what the set consists of -----------------------------------------------------------------------------------------
# rows KIND: the table's rows of that kind for this set, without kind and set.
rows() { awk -v kind="$1" -v set="$set_name" '$1 == kind && $2 == set { $1 = $2 = ""; print }' "$table"; }
known_sets() { awk '$1 == "file" { print $2 }' "$table" | uniq | paste -sd ' '; }

[[ -n $set_name ]] || usage_fail "name a data set" "one of: $(known_sets)"
[[ -n $(rows file) ]] || usage_fail "'$set_name' is not one of the data sets" "$(known_sets)"
[[ -z $from || -z $mirror ]] || usage_fail "--from and --mirror exclude each other" "command line"
[[ -z $from || -d $from ]] || fail "no such folder" "$from" "name the folder that holds the files with --from DIR"
output=$(absolute_path "${output:-$project_root/datasets/originals/$set_name}")
[[ -z $from ]] || from=$(absolute_path "$from")
python=$(command -v /usr/bin/python3 || command -v python3) ||
  fail "python3 is missing, which does the fetching" "PATH" "run launch/setup.sh, or install python3"

# The folder that an archive unpacks to; nothing for sets that need no unpacking.
unpacked_folder() {
  case $set_name in
    cifar10) echo cifar-10-batches-bin ;;
    cifar100) echo cifar-100-binary ;;
  esac
}

# --- single files -----------------------------------------------------------------------------------------------------
has_checksum() { [[ $(sha256sum <"$1" | cut -d ' ' -f 1) == "$2" ]]; }  # FILE SHA256

# download URL PARTIAL BYTES: goes on where PARTIAL ends, if the server can. One line on stderr when it fails.
download() {
  "$python" - "$@" <<'PYTHON'
import http.client, os, signal, sys, time, urllib.error, urllib.request

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, and the script with it, without a traceback
url, partial, expected = sys.argv[1], sys.argv[2], int(sys.argv[3])
have = os.path.getsize(partial) if os.path.exists(partial) else 0
request = urllib.request.Request(url, headers={"User-Agent": "lockstep"})
if have and url.startswith("http"):
    request.add_header("Range", f"bytes={have}-")
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        resumed = getattr(answer, "status", None) == 206
        got, told = have if resumed else 0, time.monotonic()
        with open(partial, "ab" if resumed else "wb") as file:
            while got <= expected and (block := answer.read(1 << 16)):
                file.write(block)
                got += len(block)
                if sys.stderr.isatty() and time.monotonic() - told > 0.5:
                    told = time.monotonic()
                    print(f"\r  {got >> 20} of {expected >> 20} MiB ", end="", file=sys.stderr)
    if got != expected:
        sys.exit(f"{url}: {got} bytes came, {expected} expected")
except urllib.error.HTTPError as error:
    sys.exit(f"{url}: the server answers {error.code} {error.reason}")
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"{url}: {getattr(error, 'reason', None) or error or type(error).__name__}")
PYTHON
}

# accept PARTIAL FINAL SHA256 ORIGIN: the file gets its name if it is the right one, else it goes.
accept() {
  if has_checksum "$1" "$3"; then
    mv "$1" "$2"
  else
    warn "wrong checksum" "$(basename "$2") from $4" "SHA-256 $3 expected; what came is dropped"
    rm -f "$1"
    return 1
  fi
}

bytes_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

fetch_from() {  # BASE_URL NAME BYTES SHA256
  local partial=$output/$2.partial begun
  begun=$(bytes_of "$partial")
  say "fetching $2 from $1$( ((begun == 0)) || echo " (going on at $begun of $3 bytes)")"
  download "$1/$2" "$partial" "$3" || return
  if accept "$partial" "$output/$2" "$4" "$1"; then return; fi
  # What an earlier run began was another file: once more, from its beginning.
  ((begun > 0)) && download "$1/$2" "$partial" "$3" && accept "$partial" "$output/$2" "$4" "$1"
}

fetch() {  # NAME BYTES SHA256
  local partial=$output/$1.partial base tried=()
  # An earlier run may have ended between the last byte and the check.
  if (($(bytes_of "$partial") >= $2)) && accept "$partial" "$output/$1" "$3" "an earlier run"; then return; fi
  while read -r base; do
    tried+=("$base")
    if fetch_from "${base%/}" "$@"; then return; fi
  done < <(if [[ -n $mirror ]]; then echo "$mirror"; else rows from; fi)
  fail "$1 can't be fetched" "${tried[*]}" "check the network and its proxy (https_proxy), name another address with \
--mirror URL, or fetch the files elsewhere and use --from DIR; then run this again, it goes on from here"
}

take() {  # NAME BYTES SHA256
  local partial=$output/$1.partial
  [[ -f $from/$1 ]] || fail "$1 is missing" "$from" "put the file there under its own name"
  cp -- "$from/$1" "$partial" || fail "$1 can't be copied" "$output" "see the message above"
  accept "$partial" "$output/$1" "$3" "$from" ||
    fail "$1 is not the official file" "$from" "its SHA-256 is $(sha256sum <"$from/$1" | cut -d ' ' -f 1): fetch it again"
}

# --- the whole set ----------------------------------------------------------------------------------------------------
is_unpacked() { [[ -n $(unpacked_folder) && -f $output/$(unpacked_folder)/.complete ]]; }

# What is missing or damaged, a line each. An archive is no longer needed once it is unpacked.
missing() {
  local name bytes sum
  is_unpacked && return
  while read -r name bytes sum; do
    if [[ ! -f $output/$name ]]; then
      echo "missing: $name"
    elif ! has_checksum "$output/$name" "$sum"; then
      echo "damaged: $name"
    fi
  done < <(rows file)
  [[ -z $(unpacked_folder) ]] || echo "not unpacked: $(unpacked_folder)"
}

require_space() {
  local needed free
  needed=$(rows file | awk '{ bytes += $2 } END { print int(bytes / 1048576) + 1 }')
  [[ -z $(unpacked_folder) ]] || needed=$((needed * 5 / 2))  # the archive and what comes out of it
  free=$(df --output=avail --block-size=1M "$output" | tail -1)
  ((free >= needed)) ||
    fail "$set_name needs $needed MB free, $((free)) MB are" "$output" "free space, or choose another folder with --output"
}

get_file() {  # NAME BYTES SHA256, unless it is there and right
  if [[ -f $output/$1 ]] && has_checksum "$output/$1" "$3"; then return; fi
  if [[ -n $from ]]; then take "$@"; else fetch "$@"; fi
}

# Under another name until it is whole, so that an interrupted unpacking is not taken for the set.
unpack() {
  local folder name rest
  folder=$(unpacked_folder)
  [[ -n $folder ]] || return 0
  [[ ! -e $output/$folder ]] || fail "$folder is there, but this script did not make it" "$output" \
    "use it as it is, or move it away, or choose another folder with --output DIR"
  local fresh=$output/.unpacking
  rm -rf "$fresh"
  mkdir "$fresh"
  while read -r name rest; do
    tar -xzf "$output/$name" -C "$fresh" --no-same-owner ||
      fail "$name can't be unpacked" "$output" "see tar's message above; check the space there"
  done < <(rows file)
  [[ -d $fresh/$folder ]] || fail "no $folder in the archive" "$output" "this is not the binary version"
  touch "$fresh/$folder/.complete"
  mv "$fresh/$folder" "$output/$folder"
  rm -rf "$fresh"
}

say_next() {
  local source=$set_name words=''
  case $set_name in
    *mnist) source=idx words=' --channels 1' ;;
  esac
  say "$set_name is complete in $output. Next:"
  say "  build/bin/lockstep preprocess --source $source --input $(printf %q "$output") --output datasets/$set_name$words"
}

# --- the order of it all ----------------------------------------------------------------------------------------------
faults=$(missing)
if [[ -n $faults ]] && $check_only; then
  say "$faults"
  exit 1
elif [[ -n $faults ]]; then
  mkdir -p "$output" || fail "the folder can't be made" "$output" "choose another one with --output DIR"
  exec {lock}>"$output/.fetch.lock"
  flock -n "$lock" || { say "Waiting for another run that fetches into $output"; flock "$lock"; }
  require_space
  while read -r name bytes sum; do
    get_file "$name" "$bytes" "$sum" </dev/null
  done < <(rows file)
  is_unpacked || unpack
fi
say_next
