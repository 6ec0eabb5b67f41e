#!/usr/bin/env bash
# Installs what lockstep needs and this machine lacks: Debian packages, and LibTorch in the build folder.
#
#   launch/setup.sh [--cuda] [--tests] [--build-dir DIR] [--check-only]
#
#   --cuda           LibTorch with everything a GPU run needs (4.5 GB); otherwise what a CPU run needs (1.3 GB)
#   --tests          also the Python packages with which the tests check what we write and read; those tests that compare
#                    with PyTorch itself need --cuda too
#   --build-dir DIR  the build folder (default: build, in the checkout)
#   --check-only     say what is missing, install nothing; exit code 1 if anything is
#
# A second run finds everything in place and does nothing. After a failure (no network, disk full) run it again: what was
# finished is kept, what was not begins anew. pip's own configuration (index, proxy, certificates) is respected.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/common.sh"

# --- what is needed: the only list of it ------------------------------------------------------------------------------
debian_packages=(
  g++ cmake ninja-build ccache pkg-config                                     # build
  libopenmpi-dev openmpi-bin                                                  # processes, all-reduce between CPUs
  libhdf5-dev libxxhash-dev zlib1g-dev                                        # data sets: format, checksums, gzip
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev            # resizing and decoding
  libturbojpeg0-dev libjpeg-dev libpng-dev                                    # decoding that reports damage
  libboost-program-options-dev libspdlog-dev libfmt-dev nlohmann-json3-dev    # options, log, JSON
  libgtest-dev libgmock-dev libbenchmark-dev                                  # tests
  python3 python3-venv ca-certificates                                        # pip, which fetches LibTorch
)
torch_requirement=torch==2.11.0
test_requirements=(numpy==2.2.6 h5py==3.13.0 safetensors==0.5.3 scikit-learn==1.6.1 scipy==1.15.3 pillow==11.2.1 keras==3.15.1
  protobuf==7.36.2)
# Fetched without what they need: that is torch, which is here already, timm's hub of weights and TensorBoard's web server,
# which nobody asks for. Python imports the first two only after --cuda.
bare_requirements=(torchvision==0.26.0 timm==1.0.31 tensorboard==2.21.0)
# Megabytes free in the build folder: downloaded wheels and what they unpack to lie there together.
cpu_megabytes=2000 cuda_megabytes=10000 tests_megabytes=600

# --- the command line -------------------------------------------------------------------------------------------------
flavour=cpu with_tests=false check_only=false build=$project_root/build
while (($#)); do
  case $1 in
    --cuda) flavour=cuda ;;
    --tests) with_tests=true ;;
    --check-only) check_only=true ;;
    --build-dir | --build-dir=*)
      take_build_dir "$@"
      shift $((taken - 1)) ;;
    -h | --help) print_help; exit 0 ;;
    *) usage_fail "unknown option" "$1" ;;
  esac
  shift
done
venv=$build/python      # CMakeLists.txt looks for LibTorch in here
wheels=$build/wheels    # downloads of an unfinished set-up, a folder for each part; gone when it is finished

# --- Debian packages --------------------------------------------------------------------------------------------------
missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${debian_packages[@]}" 2>/dev/null || true)
  for package in "${debian_packages[@]}"; do
    grep -qxF "installed $package" <<<"$installed" || printf '%s\n' "$package"
  done
}

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
  local one_line="apt-get update && apt-get install -y --no-install-recommends $*"
  command -v apt-get >/dev/null ||
    fail "these packages are missing: $*" "this system has no apt-get" "install the same libraries by its own means"
  local prefix
  prefix=$(root_prefix) || {
    say "Packages are missing and installing them needs root. Run this line, then this script again:"
    say "  sudo sh -c '$one_line'"
    exit 1
  }
  # Lock::Timeout: a machine that has just booted often runs apt by itself.
  local apt=($prefix env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  say "Installing $# Debian packages: $*"
  "${apt[@]}" update ||
    fail "apt-get update failed" "package lists" "check network and /etc/apt; then run this script again"
  "${apt[@]}" install -y --no-install-recommends "$@" ||
    fail "apt-get install failed" "see its message above" "mend what it names (network, disk); then run this script again"
}

# --- LibTorch and the Python packages of the tests --------------------------------------------------------------------
# A part of the virtual environment is there when its stamp is, which is written last and holds what was asked for.
stamp() { printf '%s' "$venv/.lockstep-$1"; }
has_part() { [[ -f $(stamp "$1") && $(<"$(stamp "$1")") == "$2" ]]; }
tests_part="${test_requirements[*]} ${bare_requirements[*]}"
finish_part() { printf '%s\n' "$2" >"$(stamp "$1")"; }

# Everything a GPU run needs includes what a CPU run needs.
needs_torch() {
  ! has_part torch "$torch_requirement cuda" && ! { [[ $flavour == cpu ]] && has_part torch "$torch_requirement cpu"; }
}
needs_test_packages() { $with_tests && ! has_part tests "$tests_part"; }

# The system's Python comes first: one earlier in PATH may be a version manager's, whose environments break when it moves.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
  return 1
}

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
      fail "no Python 3.10 or later with the venv module" "PATH" "install python3 and python3-venv"
    rm -rf "$venv"
    "$python" -m venv "$venv" ||
      fail "the virtual environment can't be made" "$venv" "see Python's message above; then run this script again"
  fi
}

# Downloads stay in their part's folder until they are unpacked, so that a set-up that failed goes on from there.
fetch() {  # PART, then pip's words...
  local part=$wheels/$1
  shift
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
  touch "$venv/.unpacking"
  pip install --quiet --no-index --no-deps --no-compile --force-reinstall "$wheels/$1"/*.whl ||
    fail "the downloaded wheels can't be installed" "$venv" \
      "see pip's message above and check the space in $build; then run this script again"
  rm -rf "$wheels/$1" "$venv/.unpacking"
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

# --- the order of it all ----------------------------------------------------------------------------------------------
mapfile -t packages < <(missing_packages)
missing=("${packages[@]}")
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
mkdir -p "$build" || fail "the build folder can't be made" "$build" "choose another one with --build-dir DIR"
exec {lock}>"$build/.setup.lock"
flock -n "$lock" || { say "Waiting for another set-up of $build"; flock "$lock"; }
if needs_torch; then install_torch; fi
if needs_test_packages; then install_test_packages; fi
rm -rf "$wheels"
say "set-up: done"
