# cmake --install BUILD --prefix DIR: the programs, and the scripts, run files and words around them.
# cpack (in the build folder): the same with the shared libraries that a bare node lacks, as a .tar.gz that runs where it is
# unpacked. Left out of it are the C library and MPI: both are the machine's, and MPI knows its network.
#
#   bin/                programs, and the CUDA part beside them
#   lib/                libraries, in the bundle
#   share/lockstep/     launch/, slurm/, configs/: as in the checkout
set(home share/lockstep)
set(targets lockstep lockstep-preprocess)
install(TARGETS ${targets} RUNTIME DESTINATION bin)
if(TARGET lockstep_cuda)
  install(TARGETS lockstep_cuda LIBRARY DESTINATION bin)
  list(APPEND targets lockstep_cuda)
endif()
set_target_properties(${targets} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib;${LIBTORCH}/lib")
install(DIRECTORY launch slurm configs DESTINATION ${home} USE_SOURCE_PERMISSIONS
        PATTERN setup.sh EXCLUDE PATTERN site.sh EXCLUDE PATTERN __pycache__ EXCLUDE)
install(FILES README.md LICENSE DESTINATION share/doc/lockstep)

find_program(PATCHELF patchelf DOC "makes libraries find one another beside them; only cpack needs it")
configure_file(cmake/bundle_libraries.cmake.in bundle_libraries.cmake @ONLY)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME lockstep-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_BINARY_DIR}/bundle_libraries.cmake)
set(CPACK_THREADS 0)
include(CPack)
