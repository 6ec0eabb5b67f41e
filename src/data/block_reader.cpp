#include "lockstep/data/block_reader.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

/// One reading of a block, for the samples of one announcement that lie in it.
struct Loan {
  std::size_t block = 0;
  std::int64_t unstarted = 0, unfinished = 0;  // uses
  int waiting = 0;                             // readers, until it is ready
  bool ready = false;
  std::vector<std::uint8_t> bytes;
};

}  // namespace

struct BlockReader::State {
  const DataSplit& split;
  const std::vector<Range> blocks;
  const std::size_t ahead;

  mutable std::mutex mutex;
  std::condition_variable work, ready;
  std::unordered_map<std::size_t, std::deque<std::shared_ptr<Loan>>> loans;  // of a block, with uses to start
  std::unordered_multimap<std::int64_t, std::shared_ptr<Loan>> in_use;       // by samples that are being read
  std::deque<std::shared_ptr<Loan>> to_read;                                 // in the order of first use
  std::vector<std::vector<std::uint8_t>> spare;                              // memory to be reused
  std::size_t held = 0, peak = 0;                                            // bytes of blocks read or being read
  int waiting = 0;                                                           // readers of blocks that are not ready
  bool stopping = false;
  std::exception_ptr failure;
  std::thread thread;

  State(const DataSplit& s, std::vector<Range> b, std::size_t a) : split(s), blocks(std::move(b)), ahead(a) {}

  std::size_t block_of(std::int64_t position) const {
    const auto after = std::ranges::upper_bound(blocks, position, {}, &Range::begin);
    return static_cast<std::size_t>(after - blocks.begin() - 1);
  }

  /// A use of a sample begins. With the lock held.
  std::shared_ptr<Loan> begin_use(std::int64_t position) {
    const auto found = loans.find(block_of(position));
    if (found == loans.end()) throw defect("a sample was read that nobody announced", "block_reader.cpp");
    std::shared_ptr<Loan> loan = found->second.front();
    if (--loan->unstarted == 0) found->second.pop_front();
    if (found->second.empty()) loans.erase(found);
    return loan;
  }

  /// And ends; with the last one of a reading its memory is free. With the lock held.
  void end_use(const std::shared_ptr<Loan>& loan) {
    if (--loan->unfinished > 0) return;
    held -= loan->bytes.size();
    // Two uses of one sample at the turn of an epoch may end in each other's place: then somebody still copies from
    // these bytes, and they end with that copy.
    if (loan.use_count() == 1) spare.push_back(std::move(loan->bytes));
    work.notify_all();
  }

  std::vector<std::uint8_t> memory(std::size_t bytes) {
    std::vector<std::uint8_t> block;
    if (!spare.empty()) {
      block = std::move(spare.back());
      spare.pop_back();
    }
    block.resize(bytes);
    return block;
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [this] { return stopping || (!to_read.empty() && (held < ahead || waiting > 0)); });
      if (stopping) return;
      const std::shared_ptr<Loan> loan = to_read.front();
      to_read.pop_front();
      std::exception_ptr met;
      try {
        const std::size_t bytes = split.block_bytes(blocks[loan->block]).bytes;
        loan->bytes = memory(bytes);
        held += bytes;
        peak = std::max(peak, held);
        lock.unlock();
        split.read_block(blocks[loan->block], loan->bytes);
      } catch (...) {
        met = std::current_exception();
      }
      if (!lock.owns_lock()) lock.lock();
      if (met) failure = met;
      loan->ready = true;
      waiting -= loan->waiting;  // here, not by them: they run later, and nothing more is to be read for them
      ready.notify_all();
    }
  }
};

BlockReader::BlockReader(const DataSplit& split, std::vector<Range> blocks, std::size_t ahead)
    : state_(std::make_unique<State>(split, std::move(blocks), ahead)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

BlockReader::~BlockReader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_all();
  state_->ready.notify_all();
  state_->thread.join();
}

void BlockReader::announce(std::span<const std::int64_t> positions) {
  const std::lock_guard lock(state_->mutex);
  std::unordered_map<std::size_t, std::shared_ptr<Loan>> made;
  for (const std::int64_t position : positions) {
    const std::size_t block = state_->block_of(position);
    std::shared_ptr<Loan>& loan = made[block];
    if (!loan) {
      loan = std::make_shared<Loan>();
      loan->block = block;
      state_->loans[block].push_back(loan);
      state_->to_read.push_back(loan);
    }
    ++loan->unstarted;
    ++loan->unfinished;
  }
  state_->work.notify_all();
}

ImageShape BlockReader::shape() const { return state_->split.shape(); }
Store BlockReader::store() const { return state_->split.store(); }

std::size_t BlockReader::stored_bytes(std::int64_t position) const { return state_->split.stored_bytes(position); }

void BlockReader::read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first) const {
  std::unique_lock lock(state_->mutex);
  const std::shared_ptr<Loan> loan = state_->begin_use(position);
  state_->in_use.emplace(position, loan);
  if (!loan->ready) {
    ++loan->waiting;
    ++state_->waiting;
    state_->work.notify_all();
    state_->ready.wait(lock, [&] { return loan->ready || state_->stopping; });
  }
  if (state_->failure) std::rethrow_exception(state_->failure);
  if (!loan->ready) throw Error("the reader has ended", "block reader", "");
  lock.unlock();
  // Not locked: the block stays until has_read() of this sample, and nobody writes to it.
  const Range& block = state_->blocks[loan->block];
  const std::uint64_t before = position == block.begin ? 0 : state_->split.block_bytes({block.begin, position}).bytes;
  const std::uint64_t bytes = state_->split.stored_bytes(position);
  if (first > bytes || into.size() > bytes - first) throw defect("more bytes than the sample has", "block_reader.cpp");
  std::copy_n(loan->bytes.begin() + static_cast<std::ptrdiff_t>(before + first), into.size(), into.begin());
}

std::string BlockReader::whereabouts(std::int64_t position) const { return state_->split.whereabouts(position); }

void BlockReader::has_read(std::int64_t position) const {
  const std::lock_guard lock(state_->mutex);
  const auto used = state_->in_use.find(position);
  if (used == state_->in_use.end()) throw defect("the end of a use that has not begun", "block_reader.cpp");
  const std::shared_ptr<Loan> loan = std::move(used->second);
  state_->in_use.erase(used);
  state_->end_use(loan);
}

std::size_t BlockReader::held_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->held;
}

std::size_t BlockReader::peak_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->peak;
}

}  // namespace lockstep
