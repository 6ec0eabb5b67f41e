#include "lockstep/config/architectures.hpp"

#include <algorithm>

namespace lockstep {

const Architecture& architecture_of(ModelKind kind) {
  return *std::find_if(architecture_table.begin(), architecture_table.end(),
                       [kind](const Architecture& row) { return row.kind == kind; });
}

const Architecture& architecture_named(std::string_view name) {
  return *std::find_if(architecture_table.begin(), architecture_table.end(),
                       [name](const Architecture& row) { return row.name == name; });
}

}  // namespace lockstep
