#include "lockstep/comm/core_share.hpp"

#include <algorithm>

#include "lockstep/core/machine.hpp"

namespace lockstep {

std::int64_t core_share(World& world) {
  const std::string mine = world.host() + " " + affinity_mask();
  const std::vector<std::string> all = world.gather_all(mine);
  const auto sharers = static_cast<std::int64_t>(std::count(all.begin(), all.end(), mine));
  return std::max<std::int64_t>(1, usable_cores() / sharers);
}

}  // namespace lockstep
