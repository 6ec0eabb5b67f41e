// How often something happens in a run: every so many epochs, steps or minutes, or never.
//
// As text: "2" or "2epochs", "500steps", "10minutes", "never". A value; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

struct Interval {
  enum class Unit { never, epochs, steps, minutes };
  Unit unit = Unit::never;
  std::int64_t count = 0;

  /// Nothing if the text is none of the forms above or its number is below 1.
  static std::optional<Interval> parse(std::string_view text);
  /// Whether it falls due at the boundary after `steps` steps of the run; intervals in minutes never do by steps.
  bool due_after(std::int64_t steps, std::int64_t steps_per_epoch) const;
  bool operator==(const Interval&) const = default;
};

}  // namespace lockstep
