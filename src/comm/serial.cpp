#include "lockstep/comm/serial.hpp"

#include <optional>
#include <string>

#include "in_process.hpp"

namespace lockstep {
namespace {

class SerialCommunicator final : public Communicator {
 public:
  SerialCommunicator() : Communicator({.backend = "serial", .rank = 0, .size = 1, .host = ""}, default_deadline) {}

  std::unique_ptr<Communicator> split(int colour, int /*key*/) override {
    return colour < 0 ? nullptr : make_serial_communicator();
  }

  void abort(std::string_view reason, Exit code) override {
    failure_ = Error("the exchange was aborted: " + std::string(reason), place().text(), "", code);
  }

 protected:
  std::shared_ptr<Pending> start(const Operation& operation) override {
    if (failure_) throw *failure_;
    execute({&operation, 1});
    return nullptr;
  }
  bool combines(at::ScalarType dtype) const override { return combined_in_process(dtype); }

 private:
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<Communicator> make_serial_communicator() { return std::make_unique<SerialCommunicator>(); }

}  // namespace lockstep
