#include "lockstep/comm/delayed.hpp"

#include <algorithm>
#include <thread>

namespace lockstep {
namespace {

using Clock = Pending::Clock;

class DelayedPending final : public Pending {
 public:
  DelayedPending(Work work, Clock::time_point ready) : work_(std::move(work)), ready_(ready) {}

  bool test() override { return Clock::now() >= ready_ && work_.test(); }

  bool wait_until(Clock::time_point deadline) override {
    std::this_thread::sleep_until(std::min(ready_, deadline));
    if (deadline < ready_) return false;
    work_.wait(std::max(Seconds(0), Seconds(deadline - Clock::now())));  // late: its own error knows more than ours
    return true;
  }

 private:
  Work work_;
  Clock::time_point ready_;
};

Place delayed_place(const Communicator& inner) {
  Place place = inner.place();
  place.backend = "delayed " + place.backend;
  return place;
}

class DelayedCommunicator final : public Communicator {
 public:
  DelayedCommunicator(std::unique_ptr<Communicator> inner, LinkSpeed speed)
      : Communicator(delayed_place(*inner), inner->deadline()), inner_(std::move(inner)), speed_(speed) {}

  c10::Device device() const override { return inner_->device(); }
  at::Tensor buffer(std::int64_t numel, at::ScalarType dtype) override { return inner_->buffer(numel, dtype); }
  std::unique_ptr<Communicator> split(int colour, int key) override {
    std::unique_ptr<Communicator> part = inner_->split(colour, key);
    return part ? make_delayed_communicator(std::move(part), speed_) : nullptr;
  }
  void settle() override { inner_->settle(); }
  void abort(std::string_view reason, Exit code) override { inner_->abort(reason, code); }

 protected:
  std::shared_ptr<Pending> start(const Operation& operation) override {
    Work work = inner_->post(operation);
    const Seconds transfer(static_cast<double>(operation.bytes()) / speed_.bytes_per_second);
    link_free_ = std::max(link_free_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(transfer);
    return std::make_shared<DelayedPending>(std::move(work),
                                            link_free_ + std::chrono::duration_cast<Clock::duration>(speed_.latency));
  }
  bool combines(at::ScalarType /*dtype*/) const override { return true; }  // inner_ checks

 private:
  std::unique_ptr<Communicator> inner_;
  LinkSpeed speed_;
  Clock::time_point link_free_{};
};

}  // namespace

std::unique_ptr<Communicator> make_delayed_communicator(std::unique_ptr<Communicator> inner, LinkSpeed speed) {
  return std::make_unique<DelayedCommunicator>(std::move(inner), speed);
}

}  // namespace lockstep
