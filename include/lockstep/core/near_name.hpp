// The name that somebody who mistyped one probably meant, for the hints of errors.
//
// Nearest by edit distance (Levenshtein, 1966), if no more than a third of the letters are wrong, or two. A pure
// function.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Of several equally near ones the first; empty: none is near.
std::string nearest_name(std::string_view given, const std::vector<std::string>& names);

}  // namespace lockstep
