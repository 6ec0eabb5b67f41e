// Manifests: what parses is written, read again, and is the same data set.
#include "fuzz/target.hpp"
#include "lockstep/data/manifest.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  return fuzz::run([&] {
    const Manifest manifest = Manifest::from_json(fuzz::text_of({data, size}), "manifest.json");
    if (Manifest::from_json(manifest.to_json(), "again").digest() != manifest.digest()) std::abort();
  });
}
