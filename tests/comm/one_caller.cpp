// An MPI that allows calls of one thread at a time, made of the real one: preloaded, it says MPI_THREAD_SERIALIZED and
// ends a process in which two threads are inside MPI at once. What lockstep calls while it runs is watched.
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

std::atomic<int> inside{0};

class Watch {
 public:
  explicit Watch(const char* call) {
    if (inside.fetch_add(1) == 0) return;
    std::fprintf(stderr, "one_caller: %s while another thread is inside MPI\n", call);
    std::_Exit(99);
  }
  ~Watch() {
    std::this_thread::yield();  // an invitation to whoever does not wait for its turn
    inside.fetch_sub(1);
  }
};

}  // namespace

extern "C" {

int MPI_Init_thread(int* argc, char*** argv, int, int* provided) {
  const int code = PMPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, provided);
  *provided = MPI_THREAD_SERIALIZED;
  return code;
}

int MPI_Test(MPI_Request* request, int* done, MPI_Status* status) {
  const Watch watch("MPI_Test");
  return PMPI_Test(request, done, status);
}
int MPI_Iallreduce(const void* from, void* to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                   MPI_Request* request) {
  const Watch watch("MPI_Iallreduce");
  return PMPI_Iallreduce(from, to, count, type, op, comm, request);
}
int MPI_Ibcast(void* data, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request* request) {
  const Watch watch("MPI_Ibcast");
  return PMPI_Ibcast(data, count, type, root, comm, request);
}
int MPI_Iallgather(const void* from, int count, MPI_Datatype type, void* to, int to_count, MPI_Datatype to_type,
                   MPI_Comm comm, MPI_Request* request) {
  const Watch watch("MPI_Iallgather");
  return PMPI_Iallgather(from, count, type, to, to_count, to_type, comm, request);
}
int MPI_Iallgatherv(const void* from, int count, MPI_Datatype type, void* to, const int counts[], const int starts[],
                    MPI_Datatype to_type, MPI_Comm comm, MPI_Request* request) {
  const Watch watch("MPI_Iallgatherv");
  return PMPI_Iallgatherv(from, count, type, to, counts, starts, to_type, comm, request);
}
int MPI_Ibarrier(MPI_Comm comm, MPI_Request* request) {
  const Watch watch("MPI_Ibarrier");
  return PMPI_Ibarrier(comm, request);
}
int MPI_Isend(const void* data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request) {
  const Watch watch("MPI_Isend");
  return PMPI_Isend(data, count, type, to, tag, comm, request);
}
int MPI_Improbe(int from, int tag, MPI_Comm comm, int* found, MPI_Message* message, MPI_Status* status) {
  const Watch watch("MPI_Improbe");
  return PMPI_Improbe(from, tag, comm, found, message, status);
}
int MPI_Comm_split(MPI_Comm comm, int colour, int key, MPI_Comm* part) {
  const Watch watch("MPI_Comm_split");
  return PMPI_Comm_split(comm, colour, key, part);
}
int MPI_Type_commit(MPI_Datatype* type) {
  const Watch watch("MPI_Type_commit");
  return PMPI_Type_commit(type);
}

}  // extern "C"
