#include "lockstep/config/interval.hpp"

#include <charconv>

namespace lockstep {

std::optional<Interval> Interval::parse(std::string_view text) {
  if (text == "never") return Interval{};
  Interval interval;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, interval.count);
  if (code != std::errc{} || interval.count < 1) return std::nullopt;
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit.empty() || unit == "epochs" || unit == "epoch")
    interval.unit = Unit::epochs;
  else if (unit == "steps" || unit == "step")
    interval.unit = Unit::steps;
  else if (unit == "minutes" || unit == "minute")
    interval.unit = Unit::minutes;
  else
    return std::nullopt;
  return interval;
}

bool Interval::due_after(std::int64_t steps, std::int64_t steps_per_epoch) const {
  if (steps == 0) return false;
  switch (unit) {
    case Unit::epochs:
      return steps % steps_per_epoch == 0 && steps / steps_per_epoch % count == 0;
    case Unit::steps:
      return steps % count == 0;
    case Unit::minutes:
    case Unit::never:
      return false;
  }
  return false;
}

}  // namespace lockstep
