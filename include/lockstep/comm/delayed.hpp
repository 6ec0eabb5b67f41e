// A slower network, simulated: operations of another communicator, done only when a link of the given speed would be.
//
// An operation of b bytes occupies the link for b / bandwidth after the operations before it, and is done `latency`
// later. Waiting for that takes no processor time, which two ranks on one machine cannot otherwise show: what backward
// hides.
#pragma once
#include <memory>

#include "lockstep/comm/communicator.hpp"

namespace lockstep {

struct LinkSpeed {
  Seconds latency{0};
  double bytes_per_second = 1e12;
};

/// Takes over `inner`. Results and errors are those of `inner`; split() gives delayed communicators of the same speed.
std::unique_ptr<Communicator> make_delayed_communicator(std::unique_ptr<Communicator> inner, LinkSpeed speed);

}  // namespace lockstep
