#include "commands/ranks.hpp"

#include <ATen/Parallel.h>

#include "lockstep/comm/core_share.hpp"

namespace lockstep {

Manifest shared_manifest(World& world, const std::filesystem::path& folder) {
  const std::string mine = world.rank() == 0 ? Manifest::load(folder).to_json() : std::string();
  return Manifest::from_json(world.broadcast(mine), (folder / Manifest::file_name).string());
}

std::unique_ptr<Accelerator> take_device(DeviceKind device, World& world, const Log& log) {
  if (device == DeviceKind::cpu) return nullptr;
  std::unique_ptr<Accelerator> accelerator = open_accelerator(world);
  log.info(accelerator->description());
  return accelerator;
}

std::int64_t set_threads(std::int64_t asked, World& world) {
  const std::int64_t share = core_share(world);  // by all ranks, whatever each was told
  const std::int64_t threads = asked > 0 ? asked : share;
  at::set_num_threads(static_cast<int>(threads));
  return threads;
}

}  // namespace lockstep
