#include "nccl_link.hpp"

#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <chrono>
#include <exception>

namespace lockstep {
namespace {

using Clock = Pending::Clock;

constexpr std::chrono::milliseconds between_looks{50};
constexpr std::chrono::seconds grace{5};  // for an orderly end, before NCCL is aborted

Clock::duration clock_time(Seconds seconds) { return std::chrono::duration_cast<Clock::duration>(seconds); }

/// Asks until `question` says yes or `limit` passes: at once for some microseconds, then ever more rarely.
template <typename Question>
bool ask_until(Clock::time_point limit, const Question& question) {
  auto pause = std::chrono::microseconds(0);
  while (!question()) {
    if (Clock::now() >= limit) return question();
    if (pause.count() == 0) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(pause);
    }
    pause = std::min(pause + std::chrono::microseconds(2), std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace

NcclPending::NcclPending(NcclLink& link, Operation operation)
    : link_(link.weak_from_this()), gpu_(link.device().index()), operation_(std::move(operation)) {}

bool NcclPending::test() {
  if (const auto link = link_.lock()) link->require_sound();
  return done_.passed();
}

bool NcclPending::wait_until(Clock::time_point deadline) {
  return ask_until(deadline, [this] { return test(); });
}

bool NcclPending::hold_stream() {
  done_.hold(c10::cuda::getCurrentCUDAStream(gpu_));
  return true;
}

NcclLink::NcclLink(const Place& place, c10::Device device, Seconds deadline)
    : place_(std::make_shared<const Place>(place)),
      device_(device),
      deadline_(deadline),
      stream_(c10::cuda::getStreamFromPool(true, device.index())) {}

std::shared_ptr<NcclLink> NcclLink::meet(const ncclUniqueId& id, const Place& place, c10::Device device,
                                         Seconds deadline) {
  const c10::cuda::CUDAGuard guard(device);
  std::shared_ptr<NcclLink> link(new NcclLink(place, device, deadline));
  link->connect(id);
  link->watcher_ = std::thread([watched = link.get()] { watched->watch(); });
  return link;
}

void NcclLink::connect(const ncclUniqueId& id) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const std::lock_guard lock(mutex_);
  const ncclResult_t result = ncclCommInitRankConfig(&nccl_, place_->size, id, place_->rank, &config);
  await_nccl(result, "ncclCommInitRankConfig");
}

void NcclLink::await_nccl(ncclResult_t returned, const std::string& call) {
  ncclResult_t state = returned;
  const bool finished = ask_until(Clock::now() + clock_time(deadline_), [&] {
    if (state == ncclInProgress && ncclCommGetAsyncError(nccl_, &state) != ncclSuccess) state = ncclInternalError;
    return state != ncclInProgress;
  });
  if (finished && state == ncclSuccess) return;
  fail_locked(finished
                  ? nccl_error(state, nccl_, fmt::format("{}, {}", call, place_->text()))
                  : Error(fmt::format("not all ranks came within {:.3g} s: {}", deadline_.count(), call),
                          place_->text(), "a rank hung or died: look at the last lines of the others", Exit::watchdog));
  throw *failure_;
}

std::shared_ptr<NcclPending> NcclLink::run(const Operation& operation, const Calls& calls) {
  const c10::cuda::CUDAGuard guard(device_);
  const std::lock_guard lock(mutex_);
  if (failure_) throw *failure_;
  forget_done();
  auto pending = std::make_shared<NcclPending>(*this, operation);
  GpuEvent ready;
  ready.record(c10::cuda::getCurrentCUDAStream(device_.index()));
  ready.hold(stream_.stream());
  ncclGroupStart();
  const ncclResult_t asked = calls(nccl_, stream_.stream());
  const ncclResult_t ended = ncclGroupEnd();
  await_nccl(asked == ncclSuccess || asked == ncclInProgress ? ended : asked, describe(operation));
  pending->done_.record(stream_.stream());
  under_way_.push_back(pending);
  latest_ = pending;
  return pending;
}

void NcclLink::settle() {
  std::shared_ptr<NcclPending> latest;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw *failure_;
    latest = latest_;
  }
  // The stream runs its operations in order: the latest is the last.
  if (latest) Work(latest, latest->operation(), place_, deadline_).wait();
}

void NcclLink::fail(Error reason) {
  const std::lock_guard lock(mutex_);
  fail_locked(std::move(reason));
}

void NcclLink::fail_locked(Error reason) {
  if (!failure_) failure_ = std::move(reason);
  if (nccl_ != nullptr) ncclCommAbort(nccl_);
  nccl_ = nullptr;
}

void NcclLink::require_sound() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw *failure_;
}

void NcclLink::watch() {
  c10::cuda::set_device(device_.index());
  std::unique_lock lock(mutex_);
  while (!stop_watching_.wait_for(lock, between_looks, [this] { return stopped_; })) {
    if (failure_) return;  // by another thread: there is no communicator left to look at
    try {
      inspect();
    } catch (const Error& error) {  // a GPU that failed
      fail_locked(error);
    }
  }
}

void NcclLink::inspect() {
  forget_done();
  ncclResult_t state = ncclSuccess;
  if (const ncclResult_t asked = ncclCommGetAsyncError(nccl_, &state); asked != ncclSuccess) state = asked;
  const std::string waiting = under_way_.empty() ? "between operations" : describe(under_way_.front()->operation());
  if (state != ncclSuccess && state != ncclInProgress) {
    return fail_locked(nccl_error(state, nccl_, fmt::format("{}, {}", waiting, place_->text())));
  }
  if (under_way_.empty() || Clock::now() < under_way_.front()->posted_ + clock_time(deadline_)) return;
  fail_locked(late_error(under_way_.front()->operation(), *place_, deadline_, ""));
}

void NcclLink::forget_done() {
  while (!under_way_.empty() && under_way_.front()->done_.passed()) under_way_.pop_front();
}

/// Whether everything under way got done in the grace.
bool NcclLink::drain() {
  try {
    return ask_until(Clock::now() + grace, [this] {
      forget_done();
      return under_way_.empty();
    });
  } catch (const Error&) {  // the GPU failed: there is nothing left to wait for
    return false;
  }
}

void NcclLink::close() {
  if (nccl_ == nullptr) return;
  // While an exception unwinds, the other ranks are not coming to an orderly end.
  bool orderly = std::uncaught_exceptions() == 0 && drain();
  if (orderly) {
    ncclResult_t state = ncclCommFinalize(nccl_);
    ask_until(Clock::now() + grace, [&] {
      ncclResult_t asked = ncclSuccess;
      if (state == ncclInProgress) asked = ncclCommGetAsyncError(nccl_, &state);
      if (asked != ncclSuccess) state = asked;
      return state != ncclInProgress;
    });
    orderly = state == ncclSuccess;  // a broken communicator may never return from its destruction
  }
  if (orderly) {
    ncclCommDestroy(nccl_);
  } else {
    ncclCommAbort(nccl_);
  }
  nccl_ = nullptr;
}

NcclLink::~NcclLink() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stop_watching_.notify_one();
  }
  if (watcher_.joinable()) watcher_.join();
  const c10::cuda::CUDAGuard guard(device_);
  close();
}

}  // namespace lockstep
