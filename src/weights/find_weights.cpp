#include "lockstep/weights/find_weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::array endings{".pth", ".pt", ".safetensors", ".h5"};

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// What stands behind a network's name in the name of its file. An underscore alone begins another network's:
/// vgg16_bn.
bool ends_a_name(std::string_view rest) {
  return rest.starts_with('-') || rest.starts_with('.') || rest.starts_with("_google-") || rest.starts_with("_weights");
}

bool fits(const std::string& file, const std::string& said) {
  if (file == said) return true;
  const bool is_weights = std::ranges::any_of(endings, [&](const char* ending) { return file.ends_with(ending); });
  return is_weights && file.starts_with(said) && ends_a_name(std::string_view(file).substr(said.size()));
}

std::vector<std::string> listed(const std::vector<fs::path>& paths) {
  std::vector<std::string> texts;
  for (const fs::path& path : paths) texts.push_back(path.string());
  return texts;
}

}  // namespace

std::vector<fs::path> weight_folders() {
  std::vector<fs::path> folders;
  std::string ours = from_environment("LOCKSTEP_WEIGHTS");
  while (!ours.empty()) {
    const std::size_t colon = std::min(ours.find(':'), ours.size());
    if (colon > 0) folders.emplace_back(ours.substr(0, colon));
    ours.erase(0, colon + 1);
  }
  const std::string torch = from_environment("TORCH_HOME"), cache = from_environment("XDG_CACHE_HOME"),
                    home = from_environment("HOME");
  const fs::path hub = fs::path("hub") / "checkpoints";
  if (!torch.empty())
    folders.push_back(fs::path(torch) / hub);
  else if (!cache.empty())
    folders.push_back(fs::path(cache) / "torch" / hub);
  else if (!home.empty())
    folders.push_back(fs::path(home) / ".cache" / "torch" / hub);
  return folders;
}

fs::path find_weights(const std::string& said, const std::vector<fs::path>& folders) {
  std::error_code ignored;
  if (fs::is_regular_file(said, ignored)) return said;
  if (said.find('/') != std::string::npos)
    throw Error("there is no such file", said, "give a weight file, or a network's name to look up");
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
      if (fits(entry.path().filename().string(), said) && entry.is_regular_file(ignored)) found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  if (found.size() == 1) return found.front();
  if (found.empty())
    throw Error(fmt::format("no weights '{}': neither a file, nor found in {}", said, fmt::join(listed(folders), ", ")),
                "--weights",
                "give a file, or put one there; Python's torchvision downloads into the last of them; LOCKSTEP_WEIGHTS "
                "names others");
  throw Error(fmt::format("several weights '{}': {}", said, fmt::join(listed(found), ", ")), "--weights",
              "give one of these files");
}

}  // namespace lockstep
