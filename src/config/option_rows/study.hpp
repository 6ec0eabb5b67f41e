// Options of freeze-study of its own; it takes train's too.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array study{
    OptionRow{"output", "study", freeze_study, path, "DIR", "", true, true, 0, 0,
              "folder of the study: its runs, study.md, study.json, study.svg; begun there already, it goes on"},
    OptionRow{"fractions", "study", freeze_study, real_list, "SHARE,…", "0,0.3,0.5,0.8,1", false, true, 0, 1,
              "shares of the network to freeze, from its input on, as --freeze-fraction takes them"},
    OptionRow{"seeds", "study", freeze_study, integer_list, "N,…", "1,2,3", false, true, 0, whole,
              "one run for each share and seed"},
};

}  // namespace lockstep::option_rows
