#include "data/device_feed.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>

#include "data/normalise.hpp"

namespace lockstep {

DeviceFeed::DeviceFeed(Source source, Copy copy, std::size_t ahead)
    : source_(std::move(source)), copy_(std::move(copy)), ahead_(ahead), thread_([this] { run(); }) {}

DeviceFeed::~DeviceFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

DeviceFeed::Item DeviceFeed::fetch() const {
  try {
    const std::optional<Batch> on_host = source_();
    if (!on_host) return {};
    return {copy_(*on_host), nullptr};
  } catch (...) {
    return {std::nullopt, std::current_exception()};
  }
}

void DeviceFeed::run() {
  while (true) {
    Item item = fetch();
    const bool last = !item.batch && !item.failure;
    std::unique_lock lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
    if (last) return;
    changed_.wait(lock, [this] { return stopping_ || items_.size() < ahead_; });
    if (stopping_) return;
  }
}

std::optional<Batch> DeviceFeed::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !items_.empty(); });
  if (!items_.front().batch && !items_.front().failure) return std::nullopt;  // stays: the end is the end
  Item item = std::move(items_.front());
  items_.pop_front();
  lock.unlock();
  changed_.notify_all();
  if (item.failure) std::rethrow_exception(item.failure);
  return std::move(item.batch);
}

DeviceFeed::Copy copy_to(c10::Device device, const ChannelScale& scale) {
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device.type()).getNewStream(device);
  return [device, stream, normalise = Normaliser(scale, device)](const Batch& batch) {
    const c10::StreamGuard in_stream(stream);
    const auto copied_of = [&](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.to(device, tensor.scalar_type(), true) : tensor;
    };
    Batch copy{batch.epoch,
               batch.step,
               normalise(copied_of(batch.images)),
               copied_of(batch.labels),
               batch.ids,
               copied_of(batch.partner_labels),
               copied_of(batch.own_share)};
    c10::Event copied(device.type());
    copied.record(stream);
    // Asked for rather than waited for: CUDA would spin, on a core that the loader's workers need.
    while (!copied.query()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    return copy;
  };
}

void hand_over(const Batch& batch) {
  const c10::Device device = batch.images.device();
  const c10::Stream user = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  for (const at::Tensor& tensor : {batch.images, batch.labels, batch.partner_labels, batch.own_share}) {
    if (tensor.defined() && tensor.numel() > 0) tensor.record_stream(user);
  }
}

}  // namespace lockstep
