# The target libtorch: any LibTorch from 2.6 on, of the torch wheel or of a libtorch zip, with or without CUDA.
#
# An imported target of our own: find_package(Torch) of the CUDA wheel insists on a CUDA toolkit, and a CPU run needs only
# libtorch_cpu and libc10 (which, in the CUDA wheel, link the CUDA runtime and CUPTI that lie in wheels beside it).
# Sets LIBTORCH_VERSION.
set(libtorch_smallest 2.6)
set(libtorch_tested 2.9 2.11)  # all tests that don't need Python's torch pass with them

if(NOT LIBTORCH)
  file(GLOB found ${CMAKE_BINARY_DIR}/python/lib/python3*/site-packages/torch)
  if(found)
    set(LIBTORCH ${found} CACHE PATH "" FORCE)
  endif()
endif()
if(NOT EXISTS ${LIBTORCH}/lib/libtorch_cpu.so OR NOT EXISTS ${LIBTORCH}/include/ATen/ATen.h)
  message(FATAL_ERROR "LibTorch not found in '${LIBTORCH}'. Run launch/setup.sh, which installs it into the build folder, "
                      "or pass -DLIBTORCH=DIR (the folder that holds include/ and lib/).")
endif()

set(LIBTORCH_VERSION "")
set(config ${LIBTORCH}/share/cmake/Torch)
if(EXISTS ${config}/TorchConfigVersion.cmake)
  file(STRINGS ${config}/TorchConfigVersion.cmake line REGEX "set\\(PACKAGE_VERSION ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" LIBTORCH_VERSION "${line}")
endif()
if(NOT LIBTORCH_VERSION)
  message(FATAL_ERROR "${LIBTORCH} does not say its version: ${config}/TorchConfigVersion.cmake is missing. Name the folder "
                      "'torch' of an installed torch wheel, or an unpacked libtorch zip.")
endif()
if(LIBTORCH_VERSION VERSION_LESS libtorch_smallest)
  message(FATAL_ERROR "LibTorch ${LIBTORCH_VERSION} in ${LIBTORCH} is too old: ${libtorch_smallest} is the oldest that works.")
endif()
string(REGEX MATCH "^[0-9]+\\.[0-9]+" libtorch_release ${LIBTORCH_VERSION})
if(NOT libtorch_release IN_LIST libtorch_tested)
  list(JOIN libtorch_tested ", " tested)
  message(STATUS "LibTorch ${LIBTORCH_VERSION} is untried: tests pass with ${tested}")
endif()
# Until 2.8 there were two kinds, told apart by this flag; std::string of the older one is another type than the one that
# every other library here was compiled with.
file(STRINGS ${config}/TorchConfig.cmake old_strings REGEX "_GLIBCXX_USE_CXX11_ABI=0")
if(old_strings)
  message(FATAL_ERROR "LibTorch ${LIBTORCH_VERSION} in ${LIBTORCH} was compiled with _GLIBCXX_USE_CXX11_ABI=0, the libraries "
                      "of this system with 1. Take the download called cxx11-abi, or a torch wheel of 2.7 or later (launch/setup.sh --torch 2.7.1).")
endif()
add_library(libtorch INTERFACE)
# -idirafter: the wheel carries headers of other libraries too, among them another release of fmt than the one we link.
target_compile_options(libtorch INTERFACE "SHELL:-idirafter ${LIBTORCH}/include"
                                          "SHELL:-idirafter ${LIBTORCH}/include/torch/csrc/api/include")
target_link_libraries(libtorch INTERFACE ${LIBTORCH}/lib/libtorch_cpu.so ${LIBTORCH}/lib/libc10.so)
file(GLOB libtorch_openmp ${LIBTORCH}/lib/libgomp*.so*)
if(libtorch_openmp)
  # the OpenMP runtime LibTorch itself loads: a second one would start threads of its own
  list(GET libtorch_openmp 0 libtorch_openmp)
  target_link_libraries(libtorch INTERFACE ${libtorch_openmp})
endif()
file(GLOB cuda_wheels ${LIBTORCH}/../nvidia/cu*/lib ${LIBTORCH}/../nvidia/cuda_runtime/lib ${LIBTORCH}/../nvidia/cuda_cupti/lib)
set(cuda_wheel_folders ${cuda_wheels})
list(JOIN cuda_wheels ":" cuda_wheels)
target_link_options(libtorch INTERFACE LINKER:-rpath,${LIBTORCH}/lib)
if(cuda_wheels)
  target_link_options(libtorch INTERFACE LINKER:-rpath-link,${cuda_wheels})
endif()
