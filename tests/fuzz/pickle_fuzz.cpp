// The restricted reader of pickles, and the state dicts found in what it reads: any bytes are one or an Error.
#include "fuzz/target.hpp"
#include "weights/torch_objects.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    const Pickle pickle({data, size}, "fuzz", is_harmless_global);
    state_dict_plan(pickle.root(), "fuzz");
  });
}
