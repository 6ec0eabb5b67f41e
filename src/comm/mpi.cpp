#include "lockstep/comm/mpi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <numeric>

#include "lockstep/comm/serial.hpp"
#include "mpi_operation.hpp"

namespace lockstep {
namespace {

using Kind = Operation::Kind;

MPI_Datatype number_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    case at::kInt:
      return MPI_INT32_T;
    case at::kByte:
      return MPI_UINT8_T;
    default:
      return MPI_DATATYPE_NULL;
  }
}

MPI_Op number_operator(Kind kind) {
  if (kind == Kind::maximum) return MPI_MAX;
  return kind == Kind::minimum ? MPI_MIN : MPI_SUM;
}

/// `bytes` bytes as one element of MPI, since MPI counts elements in an int. May go as soon as the call that uses it
/// returned: MPI keeps what it needs.
class Block {
 public:
  explicit Block(std::int64_t bytes) {
    constexpr std::int64_t kChunk = std::int64_t{1} << 30;
    const auto chunks = static_cast<int>(bytes / kChunk);
    MPI_Datatype chunk = contiguous(static_cast<int>(kChunk), MPI_BYTE);
    MPI_Datatype parts[] = {contiguous(chunks, chunk), contiguous(static_cast<int>(bytes % kChunk), MPI_BYTE)};
    const int lengths[] = {1, 1};
    const MPI_Aint starts[] = {0, static_cast<MPI_Aint>(chunks * kChunk)};
    if (chunks == 0) {
      check_mpi(MPI_Type_dup(parts[1], &type_), "MPI_Type_dup");
    } else {
      check_mpi(MPI_Type_create_struct(2, lengths, starts, parts, &type_), "MPI_Type_create_struct");
    }
    for (MPI_Datatype* part : {&chunk, &parts[0], &parts[1]}) check_mpi(MPI_Type_free(part), "MPI_Type_free");
    check_mpi(MPI_Type_commit(&type_), "MPI_Type_commit");
  }
  ~Block() { MPI_Type_free(&type_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  MPI_Datatype type() const { return type_; }

 private:
  static MPI_Datatype contiguous(int count, MPI_Datatype of) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    check_mpi(MPI_Type_contiguous(count, of, &type), "MPI_Type_contiguous");
    return type;
  }

  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

std::uint8_t* bytes_of(const at::Tensor& tensor) { return static_cast<std::uint8_t*>(tensor.mutable_data_ptr()); }

/// Issues the MPI calls of one operation: the requests are in `operation` afterwards.
class Issuer {
 public:
  Issuer(MPI_Comm ranks, int size, const MpiPieces& pieces, MpiOperation& operation)
      : ranks_(ranks), size_(size), pieces_(pieces), to_(operation), op_(operation.operation()) {}

  void issue() {
    switch (op_.kind) {
      case Kind::sum:
      case Kind::maximum:
      case Kind::minimum:
        return combine();
      case Kind::broadcast:
        return broadcast();
      case Kind::gather_all:
        return gather_all();
      case Kind::gather_unequal:
        return gather_unequal();
      case Kind::reduce_scatter:
        return reduce_scatter();
      case Kind::barrier:
        return check_mpi(MPI_Ibarrier(ranks_, to_.new_request()), "MPI_Ibarrier");
    }
  }

 private:
  /// Calls `part(start, count)` for pieces of at most `largest` elements; once for none, so that all ranks call alike.
  template <typename Part>
  static void in_pieces(std::int64_t count, std::int64_t largest, Part&& part) {
    std::int64_t start = 0;
    do {
      const std::int64_t length = std::min(largest, count - start);
      part(start, static_cast<int>(length));
      start += length;
    } while (start < count);
  }

  void combine() {
    const at::Tensor& values = op_.output;
    const std::int64_t width = static_cast<std::int64_t>(values.element_size());
    in_pieces(values.numel(), pieces_.combined, [&](std::int64_t start, int count) {
      check_mpi(MPI_Iallreduce(MPI_IN_PLACE, bytes_of(values) + start * width, count, number_type(values.scalar_type()),
                               number_operator(op_.kind), ranks_, to_.new_request()),
                "MPI_Iallreduce");
    });
  }

  void broadcast() {
    const Block block(op_.bytes());
    check_mpi(MPI_Ibcast(bytes_of(op_.output), 1, block.type(), op_.root, ranks_, to_.new_request()), "MPI_Ibcast");
  }

  void gather_all() {
    const Block block(op_.bytes());
    check_mpi(MPI_Iallgather(bytes_of(op_.input), 1, block.type(), bytes_of(op_.output), 1, block.type(), ranks_,
                             to_.new_request()),
              "MPI_Iallgather");
  }

  void gather_unequal() {
    const std::int64_t rows = std::accumulate(op_.rows.begin(), op_.rows.end(), std::int64_t{0});
    if (rows > INT_MAX) {
      throw Error(fmt::format("{} rows in all, MPI counts to {}", rows, INT_MAX), describe(op_),
                  "gather in several parts");
    }
    std::vector<int>& counts = to_.kept_list();
    counts.assign(op_.rows.begin(), op_.rows.end());
    std::vector<int>& starts = to_.kept_list();
    starts.assign(counts.size(), 0);
    std::partial_sum(counts.begin(), counts.end() - 1, starts.begin() + 1);
    const Block row(op_.row_elements * static_cast<std::int64_t>(op_.input.element_size()));
    const int mine = static_cast<int>(op_.input.numel() / std::max<std::int64_t>(op_.row_elements, 1));
    if (op_.root == Operation::kEveryRank) {
      check_mpi(MPI_Iallgatherv(bytes_of(op_.input), mine, row.type(), bytes_of(op_.output), counts.data(),
                                starts.data(), row.type(), ranks_, to_.new_request()),
                "MPI_Iallgatherv");
    } else {
      check_mpi(MPI_Igatherv(bytes_of(op_.input), mine, row.type(), bytes_of(op_.output), counts.data(), starts.data(),
                             row.type(), op_.root, ranks_, to_.new_request()),
                "MPI_Igatherv");
    }
  }

  void reduce_scatter() {
    const std::int64_t part = op_.output.numel();
    const MPI_Datatype type = number_type(op_.output.scalar_type());
    if (part <= pieces_.largest) {
      return check_mpi(MPI_Ireduce_scatter_block(bytes_of(op_.input), bytes_of(op_.output), static_cast<int>(part),
                                                 type, MPI_SUM, ranks_, to_.new_request()),
                       "MPI_Ireduce_scatter_block");
    }
    const std::int64_t width = static_cast<std::int64_t>(op_.output.element_size());
    for (int root = 0; root < size_; ++root) {
      in_pieces(part, pieces_.largest, [&](std::int64_t start, int count) {
        check_mpi(MPI_Ireduce(bytes_of(op_.input) + (root * part + start) * width, bytes_of(op_.output) + start * width,
                              count, type, MPI_SUM, root, ranks_, to_.new_request()),
                  "MPI_Ireduce");
      });
    }
  }

  MPI_Comm ranks_;
  int size_;
  const MpiPieces& pieces_;
  MpiOperation& to_;
  const Operation& op_;
};

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
    Issuer(ranks_, size(), pieces_, *started).issue();
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
  under_way_.push_back(started);
  if (thread_) queue_->add(started);
  return started;
}

MpiCommunicator::~MpiCommunicator() {
  constexpr std::chrono::seconds kGrace{1};
  bool all_done = true;
  for (const auto& operation : under_way_) {
    queue_->forget(operation);
    try {
      if (operation->wait_until(Pending::Clock::now() + kGrace)) continue;
    } catch (const std::exception&) {
      // Reported by its wait() if anyone asked; what MPI still writes to is unknown, so the memory stays.
    }
    all_done = false;
    // MPI may write into these tensors for as long as the process lives: they are given away on purpose.
    new std::shared_ptr<MpiOperation>(operation);
  }
  if (all_done) MPI_Comm_free(&ranks_);
}

std::unique_ptr<Communicator> MpiCommunicator::split(int colour, int key) {
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
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &ranks), "MPI_Comm_dup");
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
