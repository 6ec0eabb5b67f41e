// What the rows of options are written with: commands as bits, ranges, the names of all networks.
//
// Private to src/config/option_rows. Constants.
#pragma once
#include <array>
#include <string_view>

#include "lockstep/config/architectures.hpp"
#include "lockstep/config/option_table.hpp"

namespace lockstep::option_rows {

using enum OptionType;

constexpr unsigned preprocess = static_cast<unsigned>(Command::preprocess);
constexpr unsigned train = static_cast<unsigned>(Command::train);
constexpr unsigned evaluate = static_cast<unsigned>(Command::evaluate);
constexpr unsigned bench_loader = static_cast<unsigned>(Command::bench_loader);
constexpr unsigned weights_list = static_cast<unsigned>(Command::weights_list);
constexpr unsigned weights_convert = static_cast<unsigned>(Command::weights_convert);
constexpr unsigned weights_compare = static_cast<unsigned>(Command::weights_compare);
constexpr unsigned freeze_study = static_cast<unsigned>(Command::freeze_study);
constexpr unsigned predict = static_cast<unsigned>(Command::predict);
constexpr unsigned runs = static_cast<unsigned>(Command::runs);
constexpr unsigned loading = train | bench_loader;  // what batches hold and how they are prepared
constexpr double whole = 9007199254740992.0;        // 2^53: integers that survive a JSON reader
constexpr double tiny = 1e-300;                     // "greater than zero"

/// "custom|resnet18|…": the names of all networks.
constexpr auto join_models() {
  constexpr std::size_t size = [] {
    std::size_t characters = architecture_table.size() - 1;
    for (const Architecture& row : architecture_table) characters += row.name.size();
    return characters;
  }();
  std::array<char, size> text{};
  std::size_t at = 0;
  for (const Architecture& row : architecture_table) {
    if (at > 0) text[at++] = '|';
    for (const char letter : row.name) text[at++] = letter;
  }
  return text;
}
constexpr auto models = join_models();

}  // namespace lockstep::option_rows
