// The only door to MPI: each call's return code becomes an Error that says in words what MPI found.
//
// Holds for communicators whose error handler is MPI_ERRORS_RETURN (World sets it on MPI_COMM_WORLD; duplicates and
// splits inherit it). Functions may be called from any thread, in turns where MPI wants them (mpi_turn.hpp). Internal
// to src/comm.
#pragma once
// Only MPI's C functions: the C++ bindings, gone from the standard since 2012, need a library of their own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <array>
#include <string>

#include "lockstep/core/error.hpp"
#include "mpi_turn.hpp"
#include "patience.hpp"

namespace lockstep {

/// Throws Error unless `code` is MPI_SUCCESS. `call`: the function that returned it, such as "MPI_Iallreduce".
inline void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(std::string("MPI reports: ") + std::string(text.data(), static_cast<std::size_t>(length)), call,
              "look for the first error among all ranks: it is the cause, later ones follow from it");
}

/// Waits for `request` with pauses that leave the processor to others. No deadline: a rank may work for hours
/// meanwhile.
inline void wait_patiently(MPI_Request& request, const char* call) {
  Patience patience{std::chrono::microseconds(500)};
  const auto finished = [&] {
    int done = 0;
    check_mpi(in_turn([&] { return MPI_Test(&request, &done, MPI_STATUS_IGNORE); }), call);
    return done != 0;
  };
  while (!patience.ask(finished)) {
  }
}

}  // namespace lockstep
