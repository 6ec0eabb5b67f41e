// Files of class names, lines and JSON: what parses gives every code a name.
#include "fuzz/target.hpp"
#include "preprocess/class_names.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    for (const auto& [code, name] : preprocess::parse_class_names(fuzz::text_of({data, size}), "fuzz.txt")) {
      if (name.empty()) std::abort();
    }
  });
}
