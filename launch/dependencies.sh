# What lockstep is built with: the only list of it. Sourced by setup.sh, after common.sh.
#
# A line each: a name for people | the one of cmake/probe, or "command NAME" | Debian's packages.
dependencies=(
  "GCC 12 or later, or Clang 15|compiler|g++"
  "CMake 3.25 or later|command cmake|cmake"
  "Ninja|command ninja|ninja-build"
  "pkg-config|command pkg-config|pkg-config"
  "Open MPI 4.1 or later|mpi|libopenmpi-dev openmpi-bin"
  "HDF5 1.10.7 or later, not 1.12.0|hdf5|libhdf5-dev"
  "xxHash|xxhash|libxxhash-dev"
  "zlib|zlib|zlib1g-dev"
  "OpenCV: core, imgproc, imgcodecs|opencv|libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev"
  "libjpeg-turbo with its TurboJPEG interface|turbojpeg|libturbojpeg0-dev libjpeg-dev"
  "libpng|png|libpng-dev"
  "Boost.Program_options 1.74 or later|boost|libboost-program-options-dev"
  "spdlog|spdlog|libspdlog-dev"
  "fmt|fmt|libfmt-dev"
  "nlohmann_json|json|nlohmann-json3-dev"
  "Python 3.10 or later with pip and venv, to fetch LibTorch|command python3|python3 python3-venv ca-certificates"
)
test_dependencies=(
  "GoogleTest with GoogleMock|gtest|libgtest-dev libgmock-dev"
  "Google Benchmark|benchmark|libbenchmark-dev"
)
# Not needed, but building takes a fraction of the time the second time, and a bundle needs the other.
useful_packages=(ccache patchelf)
# A Slurm of their own for its tests, which start it themselves and are skipped without it.
slurm_packages=(munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins iproute2)

debian_packages() {
  local line
  for line in "${dependencies[@]}" "${test_dependencies[@]}"; do printf '%s\n' ${line##*|}; done
  printf '%s\n' "${useful_packages[@]}"
}

# missing_packages PACKAGE...: those of them that dpkg has not installed.
missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qxF "installed $package" <<<"$installed" || printf '%s\n' "$package"
  done
}

has_command() {  # NAME: in a version that is new enough
  [[ $1 == python3 ]] || command -v "$1" >/dev/null || return 1
  case $1 in
    cmake) printf '3.25\n%s\n' "$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p')" | sort -C -V ;;
    python3) find_python >/dev/null ;;
  esac
}

# The system's Python comes first: one earlier in PATH may be a version manager's, whose environments break when it moves.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3 python3.1{3,2,1,0}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
  return 1
}

# The lines of `dependencies` whose command is not there, or with whose library no program compiles and links. Those that
# can't be tried, since there is nothing to compile with, come with a question mark in front.
missing_dependencies() {  # WITH_TESTS: ON or OFF
  local folder line probe missing=() tried=false
  for line in "${dependencies[@]}"; do
    probe=$(cut -d'|' -f2 <<<"$line")
    [[ $probe == command\ * ]] && ! has_command "${probe#command }" && missing+=("$line")
  done
  if has_command cmake && has_command ninja; then
    folder=$(mktemp -d)
    if cmake -S "$project_root/cmake/probe" -B "$folder" -G Ninja -DPROBE_TESTS="$1" >"$folder/log" 2>&1; then
      tried=true
      for line in "${dependencies[@]}" "${test_dependencies[@]}"; do
        ! grep -qxF "$(cut -d'|' -f2 <<<"$line")" "$folder/missing.txt" || missing+=("$line")
      done
    else
      tail -5 "$folder/log" >&2
      missing+=("${dependencies[0]}")
    fi
    rm -rf "$folder"
  fi
  if ! $tried; then
    local libraries=("${dependencies[@]}")
    [[ $1 == OFF ]] || libraries+=("${test_dependencies[@]}")
    for line in "${libraries[@]}"; do
      [[ $line == *"|command "* || " ${missing[*]} " == *"$line"* ]] || missing+=("?$line")
    done
  fi
  printf '%s\n' ${missing[@]+"${missing[@]}"}
}

# explain_missing LINE...: what is missing, and the ways to it.
explain_missing() {
  local line packages=() untried=()
  say "These are missing (no program with them compiles and links here):"
  for line in "$@"; do
    if [[ $line == \?* ]]; then
      untried+=("${line%%|*}")
      packages+=($(missing_packages ${line##*|}))
    else
      say "  ${line%%|*}"
      packages+=(${line##*|})
    fi
  done
  if ((${#untried[@]} > 0)); then
    say "These can't be tried before CMake, Ninja and a compiler are there:"
    printf '  %s\n' "${untried[@]#\?}"
  fi
  say "
Ways to get them:
  modules    on a cluster: module avail, then load them before this script, and write the same lines into launch/site.sh
             (launch/site.example.sh shows how)
  Spack      without root: spack -e launch install; spack env activate launch (launch/spack.yaml)
  Apptainer  a container of all of it: apptainer build lockstep.sif launch/lockstep.def"
  if command -v apt-get >/dev/null; then
    say "  Debian     with root, then this script again:
  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${packages[*]}'"
  fi
}
