#include "commands/dry_run.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

std::string time_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

std::string rehearsal_text(const Rehearsal& r, int ranks, std::int64_t gpu_bytes) {
  const double training = r.step_seconds * static_cast<double>(r.steps);
  const double judging = r.judgement_seconds * static_cast<double>(r.judgements);
  std::string text = fmt::format("steps        {} in all, {} an epoch\n", r.steps, r.steps_per_epoch);
  text += fmt::format("parameters   {} of {} trained; {:.1f} MiB of gradients exchanged a step\n", r.trained_parameters,
                      r.parameters, static_cast<double>(r.exchanged_bytes) / mebibyte);
  text += fmt::format("memory       {:.0f} MiB on the largest of {} rank{} so far\n",
                      static_cast<double>(r.peak_bytes) / mebibyte, ranks, ranks == 1 ? "" : "s");
  if (gpu_bytes > 0)
    text += fmt::format("GPU memory   {:.0f} MiB on rank 0 so far\n", static_cast<double>(gpu_bytes) / mebibyte);
  text += fmt::format("a step       {:.3f} s\n", r.step_seconds);
  text += fmt::format("training     about {}\n", time_text(training));
  if (r.judgements > 0)
    text += fmt::format("judging      about {} ({} times {})\n", time_text(judging), r.judgements,
                        time_text(r.judgement_seconds));
  text += fmt::format("in all       about {}; nothing was written\n", time_text(training + judging));
  return text;
}

}  // namespace lockstep
