#include "comm/contract.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockstep/comm/agreement.hpp"

namespace lockstep::testing {
namespace {

const std::vector<at::ScalarType> combined_types = {at::kFloat, at::kDouble, at::kLong, at::kInt, at::kByte};
const std::vector<at::ScalarType> moved_types = {at::kFloat, at::kDouble, at::kLong,     at::kInt,
                                                 at::kByte,  at::kHalf,   at::kBFloat16, at::kBool};
// none, one, odd, a page and one more, above every eager limit
const std::vector<std::int64_t> tried_sizes = {0, 1, 7, 1025, 40'001};

/// What `rank` holds: element i is (i + 3·rank) mod 11 + rank, below 30 for up to 16 ranks.
at::Tensor values(std::int64_t numel, int rank, at::ScalarType dtype) {
  return (at::arange(numel, at::kLong).add(3 * rank).remainder(11) + rank).to(dtype);
}

/// The same over all ranks, added up.
at::Tensor total(std::int64_t numel, int ranks, at::ScalarType dtype) {
  at::Tensor sum = at::zeros({numel}, at::kLong);
  for (int r = 0; r < ranks; ++r) sum += values(numel, r, at::kLong);
  return sum.to(dtype);
}

/// What this rank holds, where the communicator exchanges it.
at::Tensor mine_of(const Communicator& communicator, std::int64_t numel, at::ScalarType dtype) {
  return values(numel, communicator.rank(), dtype).to(communicator.device());
}

/// Compared on the CPU, wherever `found` lies.
bool same_values(const at::Tensor& found, const at::Tensor& expected) { return found.cpu().equal(expected); }

std::string on(const Communicator& communicator, std::int64_t numel, at::ScalarType dtype) {
  return communicator.place().text() + ", " + std::to_string(numel) + " " + c10::toString(dtype);
}

void for_all(const std::vector<at::ScalarType>& dtypes,
             const std::function<void(std::int64_t, at::ScalarType)>& check) {
  for (const at::ScalarType dtype : dtypes) {
    for (const std::int64_t numel : tried_sizes) check(numel, dtype);
  }
}

/// The sentence of the Error that `call` throws.
std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

void check_sums(Communicator& communicator) {
  for_all(combined_types, [&](std::int64_t numel, at::ScalarType dtype) {
    at::Tensor mine = mine_of(communicator, numel, dtype);
    communicator.sum(mine).wait();
    EXPECT_TRUE(same_values(mine, total(numel, communicator.size(), dtype))) << on(communicator, numel, dtype);
  });
}

void check_extremes(Communicator& communicator) {
  for_all(combined_types, [&](std::int64_t numel, at::ScalarType dtype) {
    at::Tensor largest = values(numel, 0, dtype), smallest = largest.clone();
    for (int r = 1; r < communicator.size(); ++r) {
      largest = at::maximum(largest, values(numel, r, dtype));
      smallest = at::minimum(smallest, values(numel, r, dtype));
    }
    at::Tensor up = mine_of(communicator, numel, dtype), down = up.clone();
    communicator.maximum(up).wait();
    communicator.minimum(down).wait();
    EXPECT_TRUE(same_values(up, largest)) << on(communicator, numel, dtype);
    EXPECT_TRUE(same_values(down, smallest)) << on(communicator, numel, dtype);
  });
}

void check_broadcasts(Communicator& communicator) {
  for (int root = 0; root < communicator.size(); ++root) {
    for_all(moved_types, [&](std::int64_t numel, at::ScalarType dtype) {
      at::Tensor mine = mine_of(communicator, numel, dtype);
      communicator.broadcast(mine, root).wait();
      EXPECT_TRUE(same_values(mine, values(numel, root, dtype))) << on(communicator, numel, dtype);
    });
  }
}

void check_gathers(Communicator& communicator) {
  for_all(moved_types, [&](std::int64_t numel, at::ScalarType dtype) {
    at::Tensor all = at::zeros({communicator.size(), numel}, at::device(communicator.device()).dtype(dtype));
    communicator.gather_all(mine_of(communicator, numel, dtype), all).wait();
    for (int r = 0; r < communicator.size(); ++r) {
      EXPECT_TRUE(same_values(all[r], values(numel, r, dtype))) << on(communicator, numel, dtype);
    }
  });
}

namespace {

/// [rows, 3] of `rank`: no rows on some ranks, many on others.
at::Tensor rows_of(int rank, at::ScalarType dtype) {
  const std::int64_t rows = rank % 3 == 1 ? 0 : 5 + 1000 * rank;
  return values(rows * 3, rank, dtype).view({rows, 3});
}

at::Tensor rows_of_all(int ranks, at::ScalarType dtype) {
  std::vector<at::Tensor> parts;
  for (int r = 0; r < ranks; ++r) parts.push_back(rows_of(r, dtype));
  return at::cat(parts);
}

}  // namespace

void check_unequal_gathers(Communicator& communicator) {
  for (const at::ScalarType dtype : moved_types) {
    const at::Tensor all = communicator.gather_unequal(rows_of(communicator.rank(), dtype).to(communicator.device()));
    EXPECT_TRUE(same_values(all, rows_of_all(communicator.size(), dtype))) << on(communicator, all.numel(), dtype);
  }
  const at::Tensor nothing = communicator.gather_unequal(at::empty({0, 4}, communicator.device()));
  EXPECT_EQ(nothing.sizes(), at::IntArrayRef({0, 4}));
}

void check_unequal_gathers_to_one(Communicator& communicator) {
  for (int root = 0; root < communicator.size(); ++root) {
    const at::Tensor mine = rows_of(communicator.rank(), at::kFloat).to(communicator.device());
    const at::Tensor all = communicator.gather_unequal(mine, root);
    if (communicator.rank() == root) {
      EXPECT_TRUE(same_values(all, rows_of_all(communicator.size(), at::kFloat)));
    } else {
      EXPECT_EQ(all.sizes(), at::IntArrayRef({0, 3}));
    }
  }
}

void check_reduce_scatters(Communicator& communicator) {
  for_all(combined_types, [&](std::int64_t numel, at::ScalarType dtype) {
    const std::int64_t whole = numel * communicator.size();
    at::Tensor mine = at::zeros({numel}, at::device(communicator.device()).dtype(dtype));
    communicator.reduce_scatter(mine_of(communicator, whole, dtype), mine).wait();
    const at::Tensor expected = total(whole, communicator.size(), dtype).narrow(0, numel * communicator.rank(), numel);
    EXPECT_TRUE(same_values(mine, expected)) << on(communicator, numel, dtype);
  });
}

void check_layouts(Communicator& communicator) {
  const auto picture = [](int rank) {
    return values(2 * 3 * 4 * 5, rank, at::kFloat).view({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  };
  at::Tensor mine = picture(communicator.rank()).to(communicator.device());
  communicator.sum(mine).wait();
  at::Tensor expected = picture(0);
  for (int r = 1; r < communicator.size(); ++r) expected = expected + picture(r);
  EXPECT_TRUE(same_values(mine, expected));
  EXPECT_TRUE(mine.is_contiguous(at::MemoryFormat::ChannelsLast));

  at::Tensor outer = at::full({10}, 7.0, communicator.device()), part = outer.narrow(0, 2, 5);
  communicator.sum(part).wait();
  EXPECT_EQ(outer.sum().item<double>(), 5 * 7.0 + 5 * 7.0 * communicator.size());

  at::Tensor scalar = at::full({}, 2.0, communicator.device()).set_requires_grad(true);
  communicator.sum(scalar).wait();
  EXPECT_EQ(scalar.item<double>(), 2.0 * communicator.size());
}

void check_equal_bits(Communicator& communicator) {
  for (const std::int64_t numel : {3, 1000, 40'001}) {
    // Sums whose last bits depend on the order of the ranks.
    at::Tensor mine = at::arange(numel, at::kDouble).add(1 + 10 * communicator.rank()).sin().to(at::kFloat);
    mine = mine.to(communicator.device());
    communicator.sum(mine).wait();
    at::Tensor all = at::empty({communicator.size(), numel}, mine.options());
    communicator.gather_all(mine, all).wait();
    for (int r = 0; r < communicator.size(); ++r)
      EXPECT_TRUE(all[r].equal(mine)) << "rank " << r << ", " << numel;
  }
}

void check_many_under_way(Communicator& communicator) {
  std::vector<at::Tensor> tensors;
  std::vector<Work> works;
  for (std::int64_t i = 0; i < 20; ++i) {
    tensors.push_back(mine_of(communicator, 1000 * i, at::kFloat));
    works.push_back(communicator.sum(tensors.back()));
  }
  while (!works[7].test()) std::this_thread::yield();
  for (auto work = works.rbegin(); work != works.rend(); ++work) work->wait();
  for (std::int64_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(same_values(tensors[static_cast<std::size_t>(i)], total(1000 * i, communicator.size(), at::kFloat)));
  }
}

void check_stream_order(Communicator& communicator) {
  // What follows reads each sum without the host having waited for it.
  at::Tensor mine = mine_of(communicator, 100'000, at::kFloat), sums = at::zeros_like(mine);
  for (int i = 0; i < 10; ++i) {
    at::Tensor step = mine * (i + 1);
    communicator.sum(step).let_stream_wait();
    sums += step;
  }
  communicator.settle();
  EXPECT_TRUE(same_values(sums, total(100'000, communicator.size(), at::kFloat) * 55));
}

void check_dropped_work(Communicator& communicator) {
  for (int i = 0; i < 5; ++i) {
    at::Tensor forgotten = mine_of(communicator, 100'000, at::kFloat);
    communicator.sum(forgotten);
  }
  at::Tensor mine = mine_of(communicator, 10, at::kFloat);
  communicator.sum(mine).wait();
  EXPECT_TRUE(same_values(mine, total(10, communicator.size(), at::kFloat)));
}

void check_splits(Communicator& communicator) {
  const int rank = communicator.rank(), size = communicator.size();
  // Odd and even ranks apart, order reversed.
  const std::unique_ptr<Communicator> half = communicator.split(rank % 2, -rank);
  ASSERT_NE(half, nullptr);
  EXPECT_EQ(half->size(), (size + 1 - rank % 2) / 2);
  const at::TensorOptions integers = at::device(communicator.device()).dtype(at::kInt);
  at::Tensor all = at::empty({half->size()}, integers);
  half->gather_all(at::full({1}, rank, integers), all).wait();
  for (int i = 1; i < half->size(); ++i) EXPECT_EQ((all[i - 1] - all[i]).item<int>(), 2);
  EXPECT_EQ(all[half->rank()].item<int>(), rank);

  const std::unique_ptr<Communicator> none = communicator.split(rank == 0 ? 0 : -1, 0);
  EXPECT_EQ(none == nullptr, rank != 0);
  communicator.barrier();
}

void check_buffers(Communicator& communicator) {
  for (const std::int64_t numel : {0, 1, 1000, 1 << 20}) {
    at::Tensor buffer = communicator.buffer(numel, at::kFloat);
    EXPECT_EQ(buffer.sizes(), at::IntArrayRef({numel}));
    EXPECT_EQ(buffer.count_nonzero().item<std::int64_t>(), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data_ptr()) % 64, 0u);  // null where there is nothing
    buffer += communicator.rank() + 1;
    communicator.sum(buffer).wait();
    const double each = communicator.size() * (communicator.size() + 1) / 2.0;
    EXPECT_EQ(buffer.sum().item<double>(), each * static_cast<double>(numel));
  }
}

void check_refusals(Communicator& communicator) {
  const int size = communicator.size();
  const auto zeros = [&](at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
    return at::zeros(shape, at::device(communicator.device()).dtype(dtype));
  };
  at::Tensor gaps = zeros({4, 4}).narrow(1, 0, 2), whole = zeros({size, 3}), part = zeros({3});
  at::Tensor truth = zeros({3}, at::kBool), few = zeros({size * 3 + 1}), other = zeros({3}, at::kInt);
  at::Tensor transposed = zeros({3, size + 1}).t(), inside = whole.view({-1}).narrow(0, 0, 3);
  EXPECT_TRUE(contains(error_of([&] { communicator.sum(gaps); }), "gaps"));
  EXPECT_TRUE(contains(error_of([&] { communicator.sum(truth); }), "Bool"));
  EXPECT_TRUE(contains(error_of([&] { communicator.broadcast(part, size); }), "root"));
  EXPECT_TRUE(contains(error_of([&] { communicator.broadcast(part, -1); }), "root"));
  EXPECT_TRUE(contains(error_of([&] { communicator.gather_all(part, few); }), "elements"));
  EXPECT_TRUE(contains(error_of([&] { communicator.gather_all(other, whole); }), "dtype"));
  EXPECT_TRUE(contains(error_of([&] { communicator.gather_all(inside, whole); }), "overlap"));
  EXPECT_TRUE(contains(error_of([&] { communicator.reduce_scatter(transposed, part); }), "contiguous"));
  EXPECT_TRUE(contains(error_of([&] { communicator.gather_unequal(zeros({})); }), "rows"));
  if (size > 1) {
    const at::Tensor ragged = zeros({2, communicator.rank() == 0 ? 3 : 4});
    EXPECT_TRUE(contains(error_of([&] { communicator.gather_unequal(ragged); }), "rows of"));
  }
  check_sums(communicator);  // a refused call leaves nothing behind
}

void check_agreement(Communicator& communicator) {
  require_agreement(communicator, "plan", "the same everywhere");
  if (communicator.size() == 1) return;
  const std::string mine = communicator.rank() == 1 ? "b" : "a";
  const std::string error = error_of([&] { require_agreement(communicator, "plan", mine); });
  EXPECT_TRUE(contains(error, "plan differs between ranks: rank 0")) << error;
  EXPECT_TRUE(contains(error, "rank 1: b")) << error;
}

void check_common_success(Communicator& communicator) {
  bool ran = false;
  succeed_together(communicator, "opening", [&] { ran = true; });
  EXPECT_TRUE(ran);
  const int failing = communicator.size() - 1;
  const std::string error = error_of([&] {
    succeed_together(communicator, "opening", [&] {
      if (communicator.rank() == failing) throw Error("file missing", "cat.h5", "copy it", Exit::usage);
    });
  });
  EXPECT_TRUE(contains(error, "file missing")) << error;
  if (communicator.rank() != failing) {
    EXPECT_TRUE(contains(error, "opening failed on rank " + std::to_string(failing))) << error;
  }
}

}  // namespace lockstep::testing
