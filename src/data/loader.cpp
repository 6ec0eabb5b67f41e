#include "lockstep/data/loader.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "data/batch_memory.hpp"
#include "data/device_feed.hpp"
#include "data/normalise.hpp"
#include "lockstep/core/stopwatch.hpp"

namespace lockstep {
namespace {

/// What one worker prepares at a time: a sample, or a pair that is mixed.
struct Unit {
  std::size_t sample = 0;
  bool pair = false;                 // with the sample after it
  std::optional<SampleUse> outside;  // the partner of a single sample, in another rank's part
};

std::vector<Unit> units_of(const BatchRequest& request) {
  const std::size_t samples = request.positions.size();
  std::vector<Unit> units;
  std::size_t next = 0;
  if (request.before) units.push_back({next++, false, request.before});
  while (next < samples) {
    const bool pair = request.mixed && next + 1 < samples;
    units.push_back({next, pair, pair ? std::nullopt : request.after});
    next += pair ? 2 : 1;
  }
  return units;
}

/// A batch on its way: its units are handed to workers one by one, so that all of them work on the batch needed first.
struct Pending {
  BatchRequest request;
  Batch batch;
  std::vector<Unit> units;
  std::size_t started = 0, finished = 0;  // units
  std::exception_ptr failure;

  bool complete() const { return finished == units.size(); }
  bool exhausted() const { return started == units.size(); }
};

/// A worker's own memory.
struct Workplace {
  SamplePipeline::Scratch scratch;
  std::vector<float> partner;          // a partner from another rank's part
  std::vector<std::uint8_t> partner8;  // the same for uint8 slots

  template <typename Value>
  std::span<Value> partner_slot(std::size_t size) {
    if constexpr (std::is_same_v<Value, float>) {
      partner.resize(size);
      return partner;
    } else {
      partner8.resize(size);
      return partner8;
    }
  }
};

}  // namespace

struct Loader::State {
  const DataSplit& split;
  const StoredSamples& samples;
  const ImageTransform& transform;
  const SamplePipeline pipeline;
  SampleDraws draws;
  BatchRequests requests;
  LoaderSettings settings;

  mutable std::mutex mutex;
  std::condition_variable work, ready;
  std::deque<std::shared_ptr<Pending>> queue;  // in the order of requests
  BatchMemory memory;
  bool ended = false, stopping = false;
  std::exception_ptr request_failure;
  PipelineCosts costs;
  std::vector<std::thread> threads;

  State(const DataSplit& s, const StoredSamples& bytes, const ImageTransform& t, SampleDraws d, BatchRequests r,
        const LoaderSettings& how)
      : split(s),
        samples(bytes),
        transform(t),
        pipeline(bytes, t),
        draws(std::move(d)),
        requests(std::move(r)),
        settings(how),
        memory(!how.device.is_cpu()) {}
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

  /// Pulls one request into the queue. With the lock held.
  std::shared_ptr<Pending> enqueue_request() {
    try {
      if (std::optional<BatchRequest> request = requests()) return enqueue(std::move(*request));
    } catch (...) {  // the requests' own, or no memory for the batch
      request_failure = std::current_exception();
    }
    ended = true;
    ready.notify_all();
    return nullptr;
  }

  std::shared_ptr<Pending> enqueue(BatchRequest request) {
    auto pending = std::make_shared<Pending>();
    pending->request = std::move(request);
    pending->units = units_of(pending->request);
    const auto n = static_cast<std::int64_t>(pending->request.positions.size());
    Batch& batch = pending->batch;
    batch.epoch = pending->request.epoch;
    batch.step = pending->request.step;
    batch.images = memory.images(n, split.shape().channels, transform.side(),
                                 settings.slot == SlotType::uint8 ? at::kByte : at::kFloat);
    batch.labels = memory.values(n, at::kLong);
    batch.ids.resize(static_cast<std::size_t>(n));
    if (pending->request.mixed) {
      batch.partner_labels = memory.values(n, at::kLong);
      batch.own_share = memory.values(n, at::kFloat);
    }
    queue.push_back(pending);
    if (n == 0) ready.notify_all();
    work.notify_all();
    return pending;
  }

  /// The next unit to prepare; nothing when the loader stops. With the lock held.
  std::shared_ptr<Pending> claim(std::unique_lock<std::mutex>& lock, std::size_t& unit) {
    while (true) {
      if (stopping) return nullptr;
      for (const auto& pending : queue) {
        if (pending->exhausted()) continue;
        unit = pending->started++;
        return pending;
      }
      if (ended || std::ssize(queue) >= settings.prefetch) {
        work.wait(lock);
        continue;
      }
      if (const std::shared_ptr<Pending> fresh = enqueue_request()) {
        lock.unlock();  // hints are calls of the system
        for (const std::int64_t position : fresh->request.positions) samples.will_read(position);
        lock.lock();
      }
    }
  }

  template <typename Value>
  std::span<Value> slot(Pending& pending, std::size_t sample) const {
    const std::size_t size = transform.slot_size();
    return {pending.batch.images.data_ptr<Value>() + sample * size, size};
  }

  template <typename Value>
  void fill(std::int64_t epoch, const SampleUse& use, std::span<Value> slot, Workplace& place) const {
    const Augmentation augmentation = draws.augment(epoch, split.id(use.position), use.copy);
    pipeline.fill(use.position, augmentation, slot, place.scratch);
    samples.has_read(use.position);
  }

  template <typename Value>
  SampleUse fill_own(Pending& pending, std::size_t sample, Workplace& place) const {
    const SampleUse use{pending.request.positions[sample], pending.request.copy(sample)};
    pending.batch.ids[sample] = split.id(use.position);
    pending.batch.labels.data_ptr<std::int64_t>()[sample] = split.label(use.position);
    fill(pending.request.epoch, use, slot<Value>(pending, sample), place);
    return use;
  }

  /// What a sample's partner does to it, noted in the batch.
  Mix draw_mix(Pending& pending, std::size_t sample, const SampleUse& use, const SampleUse& partner) const {
    const Mix mix = draws.mix(pending.request.epoch, split.id(use.position), use.copy);
    pending.batch.partner_labels.data_ptr<std::int64_t>()[sample] = split.label(partner.position);
    pending.batch.own_share.data_ptr<float>()[sample] = mix.own;
    return mix;
  }

  template <typename Value>
  void prepare(Pending& pending, const Unit& unit, Workplace& place) const {
    const SampleUse first = fill_own<Value>(pending, unit.sample, place);
    if (unit.pair) {
      const SampleUse second = fill_own<Value>(pending, unit.sample + 1, place);
      const Mix of_first = draw_mix(pending, unit.sample, first, second);
      const Mix of_second = draw_mix(pending, unit.sample + 1, second, first);
      mix_both(slot<Value>(pending, unit.sample), of_first, slot<Value>(pending, unit.sample + 1), of_second,
               transform.side());
    } else if (unit.outside) {
      const std::span<Value> partner = place.partner_slot<Value>(transform.slot_size());
      fill(pending.request.epoch, *unit.outside, partner, place);
      const Mix mix = draw_mix(pending, unit.sample, first, *unit.outside);
      mix_one<Value>(slot<Value>(pending, unit.sample), mix, partner, transform.side());
    } else if (pending.request.mixed) {  // the last of an odd number has no partner
      pending.batch.partner_labels.data_ptr<std::int64_t>()[unit.sample] = split.label(first.position);
      pending.batch.own_share.data_ptr<float>()[unit.sample] = 1;
    }
  }

  void run_worker() {
    Workplace place;
    std::unique_lock lock(mutex);
    std::size_t unit = 0;
    while (const std::shared_ptr<Pending> pending = claim(lock, unit)) {
      lock.unlock();
      std::exception_ptr failure;
      try {
        if (settings.slot == SlotType::uint8)
          prepare<std::uint8_t>(*pending, pending->units[unit], place);
        else
          prepare<float>(*pending, pending->units[unit], place);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      costs += std::exchange(place.scratch.costs, {});
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

Loader::Loader(const DataSplit& split, const StoredSamples& samples, const ImageTransform& transform, SampleDraws draws,
               BatchRequests requests, const LoaderSettings& settings)
    : state_(std::make_unique<State>(split, samples, transform, std::move(draws), std::move(requests), settings)) {
  for (std::int64_t i = 0; i < settings.threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->run_worker(); });
  if (settings.device.is_cpu()) return;
  constexpr std::size_t ahead = 2;  // one that is ready, one on its way
  feed_ = std::make_unique<DeviceFeed>([state = state_.get()] { return state->take(); },
                                       copy_to(settings.device, transform.scale()), ahead);
}

Loader::~Loader() { state_->stop(); }  // then the feed ends, then the workers

std::optional<Batch> Loader::next() {
  const Stopwatch watch;
  std::optional<Batch> batch = feed_ ? feed_->next() : state_->take();
  waited_ += watch.seconds();
  if (feed_ && batch) hand_over(*batch);
  if (!feed_ && batch && state_->settings.slot == SlotType::uint8)
    batch->images = Normaliser(state_->transform.scale(), state_->settings.device)(batch->images);
  return batch;
}

double Loader::waited_seconds() const { return waited_; }

PipelineCosts Loader::costs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->costs;
}

}  // namespace lockstep
