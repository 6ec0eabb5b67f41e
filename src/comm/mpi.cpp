#include "lockstep/comm/mpi.hpp"

#include <vector>

#include "lockstep/comm/serial.hpp"
#include "mpi_issue.hpp"

namespace lockstep {
namespace {

class MpiCommunicator final : public Communicator {
 public:
  /// Takes over `ranks`. `thread`: null for Progress::caller.
  MpiCommunicator(MPI_Comm ranks, Place place, Seconds deadline, const World& world, const MpiPieces& pieces,
                  std::shared_ptr<MpiQueue> queue, std::shared_ptr<MpiProgressThread> thread)
      : Communicator(std::move(place), deadline),
        ranks_(ranks),
        world_(world),
        pieces_(pieces),
        queue_(std::move(queue)),
        thread_(std::move(thread)) {}
  ~MpiCommunicator() override;

  std::unique_ptr<Communicator> split(int colour, int key) override;
  void abort(std::string_view reason, Exit code) override { world_.abort(static_cast<int>(code), reason); }

 protected:
  std::shared_ptr<Pending> start(const Operation& operation) override;
  bool combines(at::ScalarType dtype) const override { return number_type(dtype) != MPI_DATATYPE_NULL; }

 private:
  MPI_Comm ranks_;
  const World& world_;
  MpiPieces pieces_;
  std::shared_ptr<MpiQueue> queue_;
  std::shared_ptr<MpiProgressThread> thread_;
  std::vector<std::shared_ptr<MpiOperation>> under_way_;  // dropped Work lives on here
  std::exception_ptr failure_;
};

std::shared_ptr<Pending> MpiCommunicator::start(const Operation& operation) {
  if (failure_) std::rethrow_exception(failure_);
  auto started = std::make_shared<MpiOperation>(operation, queue_);
  try {
    std::erase_if(under_way_, [](const auto& earlier) { return earlier->test(); });
    in_turn([&] { issue(ranks_, size(), pieces_, *started); });
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
  under_way_.push_back(started);
  if (thread_) queue_->add(started);
  return started;
}

MpiCommunicator::~MpiCommunicator() {
  constexpr std::chrono::seconds grace{1};
  bool all_done = true;
  for (const auto& operation : under_way_) {
    queue_->forget(operation);
    try {
      if (operation->wait_until(Pending::Clock::now() + grace)) continue;
    } catch (const std::exception&) {
      // Reported by its wait() if anyone asked; what MPI still writes to is unknown, so the memory stays.
    }
    all_done = false;
    // MPI may write into these tensors for as long as the process lives: they are given away on purpose.
    new std::shared_ptr<MpiOperation>(operation);
  }
  if (all_done) in_turn([&] { return MPI_Comm_free(&ranks_); });
}

std::unique_ptr<Communicator> MpiCommunicator::split(int colour, int key) {
  // Blocks in its turn: ranks split while nothing else of theirs is under way.
  const MpiTurn turn;
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(ranks_, colour < 0 ? MPI_UNDEFINED : colour, key, &part), "MPI_Comm_split");
  if (part == MPI_COMM_NULL) return nullptr;
  Place where = place();
  check_mpi(MPI_Comm_rank(part, &where.rank), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(part, &where.size), "MPI_Comm_size");
  return std::make_unique<MpiCommunicator>(part, std::move(where), deadline(), world_, pieces_, queue_, thread_);
}

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const World& world, Progress progress, Seconds deadline,
                                                    const MpiPieces& pieces) {
  if (!world.uses_mpi()) {
    throw Error("MPI is not running in this process", "make_mpi_communicator", "start the program with mpirun or srun");
  }
  MPI_Comm ranks = MPI_COMM_NULL;
  check_mpi(in_turn([&] { return MPI_Comm_dup(MPI_COMM_WORLD, &ranks); }), "MPI_Comm_dup");
  Place place{.backend = "mpi", .rank = world.rank(), .size = world.size(), .host = world.host()};
  auto queue = std::make_shared<MpiQueue>();
  auto thread = progress == Progress::thread ? std::make_shared<MpiProgressThread>(queue) : nullptr;
  return std::make_unique<MpiCommunicator>(ranks, std::move(place), deadline, world, pieces, std::move(queue),
                                           std::move(thread));
}

std::unique_ptr<Communicator> make_communicator(const World& world, Progress progress, Seconds deadline) {
  if (!world.uses_mpi()) return make_serial_communicator();
  return make_mpi_communicator(world, progress, deadline);
}

}  // namespace lockstep
