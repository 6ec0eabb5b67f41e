// The one pickle we write: an ordered dictionary of row-major tensors, in the words of torch.save (protocol 2).
//
// Source: torch/_utils.py, _rebuild_tensor_v2, and the persistent ids of torch/serialization.py. A value of one thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class PickleWriter {
 public:
  void begin_dictionary();
  /// `storage_type`: "torch.FloatStorage" …
  void add_tensor(std::string_view name, std::string_view storage_type, std::string_view key, std::int64_t elements,
                  const std::vector<std::int64_t>& sizes);
  std::string finish();

 private:
  void global(std::string_view module, std::string_view name);
  void text(std::string_view words);
  void integer(std::int64_t number);
  void tuple(const std::vector<std::int64_t>& numbers);

  std::string bytes_;
};

}  // namespace lockstep
