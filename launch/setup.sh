#!/usr/bin/env bash
# Installs what lockstep needs and this machine lacks: Debian packages, and LibTorch in the build folder. Where packages can't
# be installed (another system, no root) it tries whether programs with the libraries compile and link, wherever they come
# from, and says what is missing and the ways to get it.
#
#   launch/setup.sh [--cuda] [--tests] [--build-dir DIR] [--check-only]
#   launch/setup.sh [--cuda] [--tests] --fetch DIR     on a machine with network: fetch LibTorch and the Python packages, no more
#   launch/setup.sh [--cuda] [--tests] --from DIR      on one without: take them from there
#
#   --cuda           LibTorch with everything a GPU run needs (4.5 GB); otherwise what a CPU run needs (1.3 GB)
#   --tests          also the Python packages with which the tests check what we write and read, and Slurm; those tests
#                    that compare with PyTorch itself need --cuda too
#   --build-dir DIR, --prefix DIR
#                    the build folder, which takes it all: home folders are often too small (default: build, in the checkout)
#   --torch VERSION  another LibTorch, from 2.7 on, such as 2.9.1; --fetch and --from say the same
#   --check-only     say what is missing, install nothing; exit code 1 if anything is
#
# A second run finds everything in place and does nothing. After a failure (no network, disk full) run it again: what was
# finished is kept, what was not begins anew. pip's own configuration (index, proxy, certificates) is respected.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

source "$project_root/launch/dependencies.sh"

# --- Python's packages: the only list of them -------------------------------------------------------------------------
torch_requirement=torch==2.11.0
test_requirements=(numpy==2.2.6 h5py==3.13.0 safetensors==0.5.3 scikit-learn==1.6.1 scipy==1.15.3 pillow==11.2.1 keras==3.15.1
  protobuf==7.36.2)
# Fetched without what they need: that is torch, which is here already, timm's hub of weights and TensorBoard's web server,
# which nobody asks for. Python imports the first two only after --cuda.
bare_requirements=(torchvision==0.26.0 timm==1.0.31 tensorboard==2.21.0)
# Megabytes free in the build folder: downloaded wheels and what they unpack to lie there together.
cpu_megabytes=2000 cuda_megabytes=10000 tests_megabytes=600

# --- the command line -------------------------------------------------------------------------------------------------
flavour=cpu with_tests=false check_only=false build=$project_root/build fetch_dir= from_dir= other_torch=
while (($#)); do
  case $1 in
    --cuda) flavour=cuda ;;
    --tests) with_tests=true ;;
    --check-only) check_only=true ;;
    --fetch | --from | --torch) (($# > 1)) || usage_fail "$1 needs a value" "command line" ;;&
    --fetch) fetch_dir=$(absolute_path "$2"); shift ;;
    --from) from_dir=$(absolute_path "$2"); shift ;;
    --torch) other_torch=$2 torch_requirement=torch==$2; shift ;;
    --prefix | --prefix=*) set -- "--build-dir${1#--prefix}" "${@:2}" ;;&
    --build-dir | --build-dir=* | --prefix | --prefix=*)
      take_build_dir "$@"
      shift $((taken - 1)) ;;
    -h | --help) print_help; exit 0 ;;
    *) usage_fail "unknown option" "$1" ;;
  esac
  shift
done
[[ -z $fetch_dir || -z $from_dir ]] || usage_fail "--fetch and --from are two steps" "on two machines"
# Other indices than PyPI may have older ones that will do (2.6.0+cu126).
[[ -z $other_torch || -v PIP_INDEX_URL ]] || printf '2.7\n%s\n' "$other_torch" | sort -C -V ||
  usage_fail "wheels of before 2.7 are compiled with another std::string than this system's libraries" "--torch $other_torch"
[[ -z $from_dir || -d $from_dir ]] || usage_fail "there is no such folder" "--from $from_dir"
if [[ -n $fetch_dir ]]; then
  mkdir -p "$fetch_dir" || fail "the folder can't be made" "$fetch_dir" "choose another one"
  build=$fetch_dir
fi
venv=$build/python      # CMakeLists.txt looks for LibTorch in here
[[ -z $fetch_dir ]] || venv=$(mktemp -d "$fetch_dir/.fetch.XXXXXX")/python
wheels=$build/wheels    # downloads of an unfinished set-up, a folder for each part; gone when it is finished
[[ -z $from_dir ]] || wheels=$from_dir/wheels

# --- the system's packages --------------------------------------------------------------------------------------------
# The words that make a command run as root, or failure where neither root nor a passwordless sudo is at hand.
root_prefix() {
  if ((EUID == 0)); then
    return 0
  elif sudo -n true 2>/dev/null; then
    echo "sudo -n"
  else
    return 1
  fi
}

install_packages() {  # PACKAGE...
  local prefix
  prefix=$(root_prefix)
  # Lock::Timeout: a machine that has just booted often runs apt by itself.
  local apt=($prefix env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  say "Installing $# Debian packages: $*"
  "${apt[@]}" update ||
    fail "apt-get update failed" "package lists" "check network and /etc/apt; then run this script again"
  "${apt[@]}" install -y --no-install-recommends "$@" ||
    fail "apt-get install failed" "see its message above" "mend what it names (network, disk); then run this script again"
}

# Debian starts the services it installs, unless this script says no. Slurm's are for the tests to start.
install_slurm() {  # PACKAGE...
  local policy=/usr/sbin/policy-rc.d prefix made=false
  prefix=$(root_prefix)
  if [[ ! -e $policy ]]; then
    made=true
    printf '#!/bin/sh\nexit 101\n' | $prefix tee "$policy" >/dev/null
    $prefix chmod +x "$policy"
  fi
  (install_packages "$@") || warn "Slurm can't be installed" "$*" "its tests will be skipped"
  ! $made || $prefix rm -f "$policy"
}

# --- LibTorch and the Python packages of the tests --------------------------------------------------------------------
# A part of the virtual environment is there when its stamp is, which is written last and holds what was asked for.
stamp() { printf '%s' "$venv/.lockstep-$1"; }
has_part() { [[ -f $(stamp "$1") && $(<"$(stamp "$1")") == "$2" ]]; }
tests_part="${test_requirements[*]} ${bare_requirements[*]}"
finish_part() { [[ -n $fetch_dir ]] || printf '%s\n' "$2" >"$(stamp "$1")"; }

# Everything a GPU run needs includes what a CPU run needs.
# Another release that was chosen once stays until one is named again.
needs_torch() {
  local here
  if [[ -z $other_torch && -f $(stamp torch) ]]; then
    here=$(<"$(stamp torch)")
    torch_requirement=${here% *}
  fi
  ! has_part torch "$torch_requirement cuda" && ! { [[ $flavour == cpu ]] && has_part torch "$torch_requirement cpu"; }
}
needs_test_packages() { $with_tests && ! has_part tests "$tests_part"; }

require_space() {  # MEGABYTES PURPOSE
  local free
  free=$(df --output=avail --block-size=1M "$build" | tail -1)
  ((free >= $1)) ||
    fail "$2 needs $1 MB free, $((free)) MB are" "$build" "free space, or choose another folder with --build-dir DIR"
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

make_environment() {  # unless it is there and sound
  # A mark left behind means that an earlier run was stopped while it unpacked: what is there can't be trusted.
  if [[ -e $venv/.unpacking ]] || ! pip --version >/dev/null 2>&1; then
    local python
    python=$(find_python) ||
      fail "no Python 3.10 or later with the venv module" "PATH" "load a module of Python; on Debian: apt-get install python3 python3-venv"
    [[ ! -e $venv || -e $venv/pyvenv.cfg || -z $(ls -A "$venv") ]] ||
      fail "there is a folder that this script has not made" "$venv" "choose another folder with --build-dir DIR"
    rm -rf "$venv"
    "$python" -m venv "$venv" ||
      fail "the virtual environment can't be made" "$venv" "see Python's message above; then run this script again"
  fi
}

# Downloads stay in their part's folder until they are unpacked, so that a set-up that failed goes on from there.
fetch() {  # PART, then pip's words...
  local part=$wheels/$1
  shift
  if [[ -n $from_dir ]]; then
    [[ -d $part ]] || fail "${part##*/} was not fetched" "$from_dir" \
      "on a machine with network: launch/setup.sh $([[ $part != *cuda ]] || echo "--cuda ")$(! $with_tests || echo "--tests ")--fetch DIR"
    return 0
  fi
  drop_broken_wheels "$part"
  # TMPDIR: pip keeps a download there until it is whole, and /tmp is a small memory disk on many machines.
  TMPDIR=$part/tmp pip download --dest "$part" --only-binary :all: --find-links "$part" "$@" ||
    fail "the download failed: $*" "pip, see its message above" \
      "check network, proxy, pip's index and the space in $build; then run this script again, it goes on from here"
}

drop_broken_wheels() {  # FOLDER, made if it isn't there
  rm -rf "$1/tmp"
  mkdir -p "$1/tmp"
  # The end of a zip file lists its contents: one cut short by a kill or a full disk is no zip file.
  "$venv/bin/python" - "$1" <<'PYTHON'
import pathlib, sys, zipfile
for wheel in pathlib.Path(sys.argv[1]).glob("*.whl"):
    if not zipfile.is_zipfile(wheel):
        wheel.unlink()
PYTHON
}

unpack() {  # PART
  [[ -z $fetch_dir ]] || return 0
  local found=("$wheels/$1"/*.whl)
  # A CPU run's LibTorch is the same wheel: with its headers left alone nothing needs to be built anew.
  if [[ $1 == torch-cuda ]] && has_part torch "$torch_requirement cpu"; then
    mapfile -t found < <(printf '%s\n' "${found[@]}" | grep -v '/torch-[^/]*$')
  fi
  touch "$venv/.unpacking"
  pip install --quiet --no-index --no-deps --no-compile --force-reinstall "${found[@]}" ||
    fail "the downloaded wheels can't be installed" "$venv" \
      "see pip's message above and check the space in $build; then run this script again"
  [[ -n $from_dir ]] || rm -rf "${wheels:?}/$1"
  rm -f "$venv/.unpacking"
}

# What libtorch_cpu.so of a CUDA build links besides LibTorch itself: CUDA's runtime and CUPTI, in the version that the
# wheel's own metadata names. Prints nothing for a wheel built without CUDA.
runtime_requirements() {  # WHEEL
  "$venv/bin/python" - "$1" <<'PYTHON'
import re, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
for needed in re.findall(r"^Requires-Dist: ([^;\n]+)", wheel.read(metadata).decode(), re.MULTILINE):
    if match := re.match(r"cuda-toolkit\[.*\](.*)", needed):
        print("cuda-toolkit[cudart,cupti]" + match[1].strip())
    elif re.match(r"nvidia-cuda-(runtime|cupti)", needed):  # releases before 2.11 name them one by one
        print(needed.strip())
PYTHON
}

fetch_torch_for_cpu() {  # PART
  fetch "$1" --no-deps "$torch_requirement"
  [[ -z $from_dir ]] || return 0
  local runtime
  mapfile -t runtime < <(runtime_requirements "$wheels/$1"/torch-*.whl)
  ((${#runtime[@]} == 0)) || fetch "$1" "${runtime[@]}"
}

install_torch() {
  local megabytes=$cpu_megabytes part="torch-$flavour"
  [[ $flavour == cpu ]] || megabytes=$cuda_megabytes
  require_space "$megabytes" "LibTorch ($flavour)"
  make_environment
  say "Installing LibTorch ($torch_requirement, $flavour) in $venv"
  case $flavour in
    cpu) fetch_torch_for_cpu "$part" ;;
    cuda) fetch "$part" "$torch_requirement" ;;
  esac
  unpack "$part"
  finish_part torch "$torch_requirement $flavour"
}

install_test_packages() {
  require_space "$tests_megabytes" "the tests' Python packages"
  make_environment
  say "Installing the tests' Python packages in $venv"
  fetch tests "${test_requirements[@]}"
  fetch tests --no-deps "${bare_requirements[@]}"
  unpack tests
  finish_part tests "$tests_part"
}

# --- the GPU ----------------------------------------------------------------------------------------------------------
# What this wheel's CUDA asks of driver and GPU; nothing is asked where none can be seen, as on login nodes.
check_gpu() {
  local found driver capability
  found=$(nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader 2>/dev/null | head -1) || return 0
  [[ $found == *,* ]] || return 0
  driver=${found%%,*} capability=${found##*, }
  local hint="take a wheel of CUDA 12.6, which does: PIP_INDEX_URL=https://download.pytorch.org/whl/cu126 $0 --cuda"
  ((${driver%%.*} >= 580)) ||
    fail "driver $driver is older than the 580 that CUDA 13 of $torch_requirement needs" "nvidia-smi" "$hint"
  [[ ${capability%%.*} -gt 7 || $capability == 7.5 ]] ||
    fail "GPUs of compute capability $capability are not served by CUDA 13 of $torch_requirement" "nvidia-smi" "$hint"
}

# --- the order of it all ----------------------------------------------------------------------------------------------
if [[ -n $fetch_dir ]]; then
  needs_torch() { true; }
  needs_test_packages() { $with_tests; }
  install_torch
  ! $with_tests || install_test_packages
  rm -rf "$(dirname "$venv")"
  say "fetched; on the machine without network: launch/setup.sh $([[ $flavour == cpu ]] || echo "--cuda ")$(! $with_tests || echo "--tests ")${other_torch:+--torch $other_torch }--from $fetch_dir"
  exit 0
fi
# Wheels that were fetched, of another release or index have been chosen for this GPU.
[[ $flavour == cpu || -v PIP_INDEX_URL || -n $from_dir$other_torch ]] || check_gpu
# On a Debian that has all packages there is nothing to try. With root they are installed. Otherwise what counts is whether
# programs with the libraries compile and link, wherever those come from.
packages=() slurm=()
if command -v dpkg-query >/dev/null; then
  mapfile -t packages < <(missing_packages $(debian_packages))
  ! $with_tests || mapfile -t slurm < <(missing_packages "${slurm_packages[@]}")
else
  packages=(unknown)
fi
can_install=false
! { command -v apt-get >/dev/null && root_prefix >/dev/null; } || can_install=true
if ((${#packages[@]} > 0)) && ! $can_install; then
  mapfile -t lacking < <(missing_dependencies "$($with_tests && echo ON || echo OFF)")
  if ((${#lacking[@]} > 0)) && [[ -n ${lacking[0]} ]]; then
    explain_missing "${lacking[@]}"
    exit 1
  fi
  packages=()
fi
if ((${#slurm[@]} > 0)) && ! $check_only && ! $can_install; then
  say "The tests of Slurm will be skipped: installing it (${slurm[*]}) takes apt-get and root."
  slurm=()
fi
missing=("${packages[@]}" "${slurm[@]}")
! needs_torch || missing+=("LibTorch ($torch_requirement, $flavour)")
! needs_test_packages || missing+=("the tests' Python packages")

if ((${#missing[@]} == 0)); then
  say "set-up: nothing to do"
  exit 0
elif $check_only; then
  printf 'missing: %s\n' "${missing[@]}"
  exit 1
fi

((${#packages[@]} == 0)) || install_packages "${packages[@]}"
((${#slurm[@]} == 0)) || install_slurm "${slurm[@]}"
mkdir -p "$build" || fail "the build folder can't be made" "$build" "choose another one with --build-dir DIR"
exec {lock}>"$build/.setup.lock"
flock -n "$lock" || { say "Waiting for another set-up of $build"; flock "$lock"; }
if needs_torch; then install_torch; fi
if needs_test_packages; then install_test_packages; fi
[[ -n $from_dir ]] || rm -rf "$wheels"
say "set-up: done"
