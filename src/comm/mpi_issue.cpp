#include "mpi_issue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <numeric>

namespace lockstep {
namespace {

using Kind = Operation::Kind;

MPI_Op number_operator(Kind kind) {
  if (kind == Kind::maximum) return MPI_MAX;
  return kind == Kind::minimum ? MPI_MIN : MPI_SUM;
}

/// `bytes` bytes as one element of MPI, since MPI counts elements in an int. May go as soon as the call that uses it
/// returned: MPI keeps what it needs.
class Block {
 public:
  explicit Block(std::int64_t bytes) {
    constexpr std::int64_t chunk_bytes = std::int64_t{1} << 30;
    const auto chunks = static_cast<int>(bytes / chunk_bytes);
    MPI_Datatype chunk = contiguous(static_cast<int>(chunk_bytes), MPI_BYTE);
    MPI_Datatype parts[] = {contiguous(chunks, chunk), contiguous(static_cast<int>(bytes % chunk_bytes), MPI_BYTE)};
    const int lengths[] = {1, 1};
    const MPI_Aint starts[] = {0, static_cast<MPI_Aint>(chunks * chunk_bytes)};
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
    if (op_.root == Operation::every_rank) {
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

}  // namespace

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

void issue(MPI_Comm ranks, int size, const MpiPieces& pieces, MpiOperation& operation) {
  Issuer(ranks, size, pieces, operation).issue();
}

}  // namespace lockstep
