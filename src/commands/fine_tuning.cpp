#include "commands/fine_tuning.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lockstep/config/architectures.hpp"
#include "lockstep/config/fine_tuning.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/weights/input_statistics.hpp"
#include "lockstep/weights/read_weights.hpp"

namespace lockstep {
namespace {

void note(const FineTuning& made, const Log& log) {
  if (!made.note.empty()) log.info(made.note);
}

}  // namespace

std::string normalisation_of(const std::filesystem::path& file, const Architecture& architecture) {
  const auto statistics = input_statistics(read_weights(file, architecture.name), file);
  if (!statistics) return std::string(usual_normalisation(architecture));
  return fmt::format("{}/{}", fmt::join(statistics->mean, ","), fmt::join(statistics->std, ","));
}

Options with_fine_tuning(const Options& said, World& world, const Log& log) {
  const FineTuning preset = with_transfer_preset(said);
  note(preset, log);
  if (!said.has("weights")) return preset.options;
  const std::string found =
      world.rank() == 0 ? normalisation_of(said.path("weights"), architecture_named(said.text("model"))) : "";
  const FineTuning tuned = with_weight_defaults(preset.options, world.broadcast(found));
  note(tuned, log);
  return tuned.options;
}

}  // namespace lockstep
