#include "lockstep/data/loader.hpp"

#include <ATen/ops/empty.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "data/device_feed.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep {
namespace {

/// A batch on its way: samples are handed to workers one by one, so that all of them work on the batch needed first.
struct Pending {
  BatchRequest request;
  Batch batch;
  std::size_t started = 0, finished = 0;  // samples
  std::exception_ptr failure;

  bool complete() const { return finished == request.positions.size(); }
  bool exhausted() const { return started == request.positions.size(); }
};

}  // namespace

struct Loader::State {
  const DataSplit& split;
  const ImageTransform& transform;
  SamplePipeline pipeline;
  Draw draw;
  Requests requests;
  std::size_t prefetch;
  bool pinned;  // memory that a GPU copies from by itself

  mutable std::mutex mutex;
  std::condition_variable work, ready;
  std::deque<std::shared_ptr<Pending>> queue;  // in the order of requests
  std::vector<at::Tensor> memory;              // batch memory to be reused
  bool ended = false, stopping = false;
  std::exception_ptr request_failure;
  PipelineCosts costs;
  std::vector<std::thread> threads;

  State(const DataSplit& s, const ImageTransform& t, Draw d, Requests r, std::size_t p, bool pin)
      : split(s), transform(t), pipeline(s, t), draw(std::move(d)), requests(std::move(r)), prefetch(p), pinned(pin) {}
  /// Joins the workers, also when the system refused to start the last of them.
  ~State() {
    stop();
    for (std::thread& thread : threads) thread.join();
  }

  /// Whoever waits for work or for a batch goes home.
  void stop() {
    const std::lock_guard lock(mutex);
    stopping = true;
    work.notify_all();
    ready.notify_all();
  }

  /// The next batch on the host, or nothing after the last.
  std::optional<Batch> take();

  at::Tensor fresh_memory(std::int64_t numel, at::ScalarType dtype) const {
    return at::empty({numel}, at::TensorOptions().dtype(dtype).pinned_memory(pinned));
  }

  /// float32 [n, c, side, side] channels-last, from memory nobody else holds or fresh.
  at::Tensor batch_memory(std::int64_t samples) {
    const std::int64_t side = transform.side(), channels = split.shape().channels;
    const std::int64_t wanted = samples * side * side * channels;
    for (at::Tensor& block : memory) {
      if (block.storage().use_count() != 1 || block.numel() < wanted) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // what the last holder read, it has read
      return block.narrow(0, 0, wanted).view({samples, side, side, channels}).permute({0, 3, 1, 2});
    }
    std::erase_if(memory, [&](const at::Tensor& block) { return block.storage().use_count() == 1; });  // all too small
    memory.push_back(fresh_memory(wanted, at::kFloat));
    return memory.back().view({samples, side, side, channels}).permute({0, 3, 1, 2});
  }

  /// Pulls one request into the queue. With the lock held.
  void enqueue_request() {
    try {
      if (std::optional<BatchRequest> request = requests()) {
        enqueue(std::move(*request));
        return;
      }
    } catch (...) {  // the requests' own, or no memory for the batch
      request_failure = std::current_exception();
    }
    ended = true;
    ready.notify_all();
  }

  void enqueue(BatchRequest request) {
    auto pending = std::make_shared<Pending>();
    pending->request = std::move(request);
    const auto samples = static_cast<std::int64_t>(pending->request.positions.size());
    pending->batch.epoch = pending->request.epoch;
    pending->batch.step = pending->request.step;
    pending->batch.images = batch_memory(samples);
    pending->batch.labels = fresh_memory(samples, at::kLong);
    pending->batch.ids.resize(static_cast<std::size_t>(samples));
    queue.push_back(std::move(pending));
    if (samples == 0) ready.notify_all();
    work.notify_all();
  }

  /// The next sample to prepare; nothing when the loader stops. With the lock held.
  std::shared_ptr<Pending> claim(std::unique_lock<std::mutex>& lock, std::size_t& sample) {
    while (true) {
      if (stopping) return nullptr;
      for (const auto& pending : queue) {
        if (pending->exhausted()) continue;
        sample = pending->started++;
        return pending;
      }
      if (!ended && queue.size() < prefetch)
        enqueue_request();
      else
        work.wait(lock);
    }
  }

  void prepare(Pending& pending, std::size_t sample, SamplePipeline::Scratch& scratch) {
    const std::int64_t position = pending.request.positions[sample];
    const std::int64_t id = split.id(position);
    pending.batch.ids[sample] = id;
    pending.batch.labels.data_ptr<std::int64_t>()[sample] = split.label(position);
    const std::size_t size = transform.slot_size();
    const std::span<float> slot(pending.batch.images.data_ptr<float>() + sample * size, size);
    pipeline.fill(position, draw(pending.request.epoch, id), slot, scratch);
  }

  void run_worker() {
    SamplePipeline::Scratch scratch;
    std::unique_lock lock(mutex);
    std::size_t sample = 0;
    while (const std::shared_ptr<Pending> pending = claim(lock, sample)) {
      lock.unlock();
      std::exception_ptr failure;
      try {
        prepare(*pending, sample, scratch);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      costs += scratch.costs;
      scratch.costs = {};
      if (failure) pending->failure = failure;
      ++pending->finished;
      if (pending->complete()) ready.notify_all();
    }
  }
};

std::optional<Batch> Loader::State::take() {
  std::unique_lock lock(mutex);
  ready.wait(lock, [this] { return stopping || (queue.empty() ? ended : queue.front()->complete()); });
  if (stopping) return std::nullopt;
  if (queue.empty()) {
    if (request_failure) std::rethrow_exception(request_failure);
    return std::nullopt;
  }
  const std::shared_ptr<Pending> pending = queue.front();
  queue.pop_front();
  lock.unlock();
  work.notify_all();
  if (pending->failure) std::rethrow_exception(pending->failure);
  return std::move(pending->batch);
}

Loader::Loader(const DataSplit& split, const ImageTransform& transform, Draw draw, Requests requests,
               std::int64_t threads, std::int64_t prefetch, c10::Device device)
    : state_(std::make_unique<State>(split, transform, std::move(draw), std::move(requests),
                                     static_cast<std::size_t>(prefetch), !device.is_cpu())) {
  for (std::int64_t i = 0; i < threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->run_worker(); });
  if (device.is_cpu()) return;
  constexpr std::size_t ahead = 2;  // one that is ready, one on its way
  feed_ = std::make_unique<DeviceFeed>([state = state_.get()] { return state->take(); }, copy_to(device), ahead);
}

Loader::~Loader() { state_->stop(); }  // then the feed ends, then the workers

std::optional<Batch> Loader::next() {
  const Stopwatch watch;
  std::optional<Batch> batch = feed_ ? feed_->next() : state_->take();
  waited_ += watch.seconds();
  if (feed_ && batch) hand_over(*batch);
  return batch;
}

double Loader::waited_seconds() const { return waited_; }

PipelineCosts Loader::costs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->costs;
}

}  // namespace lockstep
