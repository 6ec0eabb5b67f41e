// The translation of an Operation into MPI's nonblocking calls.
//
// Internal to src/comm. Errors: what MPI refuses when it is asked.
#pragma once
#include "lockstep/comm/mpi.hpp"
#include "mpi_operation.hpp"

namespace lockstep {

/// MPI's name of a dtype whose numbers it combines; MPI_DATATYPE_NULL for the others.
MPI_Datatype number_type(at::ScalarType dtype);

/// Issues the calls of `operation` on a communicator of `size` ranks: its requests are under way afterwards.
void issue(MPI_Comm ranks, int size, const MpiPieces& pieces, MpiOperation& operation);

}  // namespace lockstep
