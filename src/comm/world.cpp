#include "lockstep/comm/world.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <thread>

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "mpi_calls.hpp"

namespace lockstep {
namespace {

int checked_length(std::size_t bytes, const char* what) {
  if (bytes > static_cast<std::size_t>(INT_MAX)) {
    throw Error(fmt::format("{} bytes of text, at most {} can be exchanged at once", bytes, INT_MAX), what,
                "exchange large contents through files or tensors");
  }
  return static_cast<int>(bytes);
}

void start_mpi() {
  int running = 0;
  check_mpi(MPI_Initialized(&running), "MPI_Initialized");
  if (running != 0) throw defect("MPI is already initialised: one World a process", "World");
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_SERIALIZED) {
    MPI_Finalize();
    throw Error("this MPI allows calls of its main thread alone", "MPI_Init_thread",
                "use an Open MPI built with --enable-mpi-thread-multiple (the default since 4.0)");
  }
  if (provided < MPI_THREAD_MULTIPLE) MpiTurn::one_at_a_time();
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

}  // namespace

struct World::State {
  bool mpi = false;
  int rank = 0, size = 1, local_rank = 0, local_size = 1;
  std::string host = host_name();
  MPI_Comm ranks = MPI_COMM_NULL;    // a duplicate of our own: our messages meet nobody else's
  MPI_Comm endings = MPI_COMM_NULL;  // for barrier_within(): an ending must not match an exchange that others are in
  MPI_Comm letters = MPI_COMM_NULL;  // for post() and collect()
  int exceptions_at_start = std::uncaught_exceptions();

  void find_place() {
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &ranks), "MPI_Comm_dup");
    check_mpi(MPI_Comm_dup(ranks, &endings), "MPI_Comm_dup");
    check_mpi(MPI_Comm_dup(ranks, &letters), "MPI_Comm_dup");
    check_mpi(MPI_Comm_rank(ranks, &rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(ranks, &size), "MPI_Comm_size");
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(ranks, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
    check_mpi(MPI_Comm_rank(node, &local_rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(node, &local_size), "MPI_Comm_size");
    check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
  }
};

bool World::launched() {
  // Set by: Open MPI's mpirun; srun --mpi=pmix and PRRTE; srun --mpi=pmi2, MPICH and Intel MPI.
  constexpr std::array variables = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
  for (const char* variable : variables) {
    if (std::getenv(variable) != nullptr) return true;
  }
  return false;
}

World::World() : state_(std::make_unique<State>()) {
  if (!launched()) return;
  start_mpi();
  state_->mpi = true;
  state_->find_place();
}

World::~World() {
  if (!state_->mpi) return;
  if (std::uncaught_exceptions() > state_->exceptions_at_start) {
    abort(static_cast<int>(Exit::failed), "ended by an exception");
  }
  MPI_Comm_free(&state_->letters);
  MPI_Comm_free(&state_->endings);
  MPI_Comm_free(&state_->ranks);
  MPI_Finalize();
}

int World::rank() const { return state_->rank; }
int World::size() const { return state_->size; }
int World::local_rank() const { return state_->local_rank; }
int World::local_size() const { return state_->local_size; }
std::string World::host() const { return state_->host; }
bool World::uses_mpi() const { return state_->mpi; }
bool World::takes_turns() const { return MpiTurn::are_taken(); }

void World::barrier() {
  if (!state_->mpi) return;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(in_turn([&] { return MPI_Ibarrier(state_->ranks, &request); }), "MPI_Ibarrier");
  wait_patiently(request, "MPI_Ibarrier");
}

bool World::barrier_within(std::chrono::seconds patience) {
  if (!state_->mpi) return true;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(in_turn([&] { return MPI_Ibarrier(state_->endings, &request); }), "MPI_Ibarrier");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int done = 0;
  while (true) {
    check_mpi(in_turn([&] { return MPI_Test(&request, &done, MPI_STATUS_IGNORE); }), "MPI_Test");
    if (done != 0 || std::chrono::steady_clock::now() > deadline) return done != 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string World::broadcast(std::string text, int root) {
  if (!state_->mpi) return text;
  const auto send = [&](void* data, int count, MPI_Datatype type) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(in_turn([&] { return MPI_Ibcast(data, count, type, root, state_->ranks, &request); }), "MPI_Ibcast");
    wait_patiently(request, "MPI_Ibcast");
  };
  // A length that does not fit is announced as such, so that the other ranks fail too instead of waiting.
  std::int64_t length = static_cast<std::int64_t>(text.size());
  send(&length, 1, MPI_INT64_T);
  const int bytes = checked_length(static_cast<std::size_t>(length), "World::broadcast");
  text.resize(static_cast<std::size_t>(bytes));
  send(text.data(), bytes, MPI_CHAR);
  return text;
}

std::vector<std::string> World::gather_all(const std::string& mine) {
  if (!state_->mpi) return {mine};
  const auto ranks = static_cast<std::size_t>(state_->size);
  MPI_Request request = MPI_REQUEST_NULL;
  const std::int64_t my_length = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> lengths(ranks);  // [rank]
  check_mpi(in_turn([&] {
              return MPI_Iallgather(&my_length, 1, MPI_INT64_T, lengths.data(), 1, MPI_INT64_T, state_->ranks,
                                    &request);
            }),
            "MPI_Iallgather");
  wait_patiently(request, "MPI_Iallgather");
  const std::int64_t total = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  checked_length(static_cast<std::size_t>(total), "World::gather_all");

  const std::vector<int> counts(lengths.begin(), lengths.end());  // [rank]
  std::vector<int> starts(ranks, 0);                              // [rank]
  std::partial_sum(counts.begin(), counts.end() - 1, starts.begin() + 1);
  std::string all(static_cast<std::size_t>(total), '\0');
  check_mpi(in_turn([&] {
              return MPI_Iallgatherv(mine.data(), static_cast<int>(my_length), MPI_CHAR, all.data(), counts.data(),
                                     starts.data(), MPI_CHAR, state_->ranks, &request);
            }),
            "MPI_Iallgatherv");
  wait_patiently(request, "MPI_Iallgatherv");

  std::vector<std::string> texts(ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    texts[r] = all.substr(static_cast<std::size_t>(starts[r]), static_cast<std::size_t>(counts[r]));
  }
  return texts;
}

void World::sum(std::vector<std::int64_t>& values) {
  if (!state_->mpi) return;
  const int count = checked_length(values.size(), "World::sum");
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(in_turn([&] {
              return MPI_Iallreduce(MPI_IN_PLACE, values.data(), count, MPI_INT64_T, MPI_SUM, state_->ranks, &request);
            }),
            "MPI_Iallreduce");
  wait_patiently(request, "MPI_Iallreduce");
}

void World::post(int to, const std::string& text) {
  if (!state_->mpi || to == state_->rank) throw defect("a letter to nobody else", "World::post");
  MPI_Request request = MPI_REQUEST_NULL;
  const int bytes = checked_length(text.size(), "World::post");
  check_mpi(in_turn([&] { return MPI_Isend(text.data(), bytes, MPI_CHAR, to, 0, state_->letters, &request); }),
            "MPI_Isend");
  wait_patiently(request, "MPI_Isend");
}

std::optional<World::Letter> World::collect() {
  if (!state_->mpi) return std::nullopt;
  const MpiTurn turn;
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status{};
  int found = 0, bytes = 0;
  check_mpi(MPI_Improbe(MPI_ANY_SOURCE, 0, state_->letters, &found, &message, &status), "MPI_Improbe");
  if (found == 0) return std::nullopt;
  check_mpi(MPI_Get_count(&status, MPI_CHAR, &bytes), "MPI_Get_count");
  Letter letter{status.MPI_SOURCE, std::string(static_cast<std::size_t>(bytes), '\0')};
  check_mpi(MPI_Mrecv(letter.text.data(), bytes, MPI_CHAR, &message, &status), "MPI_Mrecv");
  return letter;
}

void World::abort(int code, std::string_view reason) const {
  fmt::print(stderr, "rank {} on {}: {}\n", state_->rank, state_->host, reason);
  std::fflush(stderr);
  if (state_->mpi) MPI_Abort(MPI_COMM_WORLD, code);
  // No destructors and exit handlers: other threads may be inside what they would tear down.
  std::_Exit(code);
}

}  // namespace lockstep
