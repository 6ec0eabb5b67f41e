#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"
#include "lockstep/weights/torch_file.hpp"
#include "weights/pickle_writer.hpp"
#include "weights/torch_tensors.hpp"
#include "weights/zip_reader.hpp"
#include "weights/zip_writer.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t longest_pickle = std::uint64_t{64} << 20, longest_record = std::uint64_t{1} << 20;
constexpr std::string_view pickle_name = "data.pkl", metadata_name = "lockstep.json";

bool any_entry(const ZipReader& zip, std::string_view ending) {
  return std::ranges::any_of(zip.entries(), [&](const auto& pair) { return pair.first.ends_with(ending); });
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint, const ZipReader& zip) {
  throw Error(what, zip.path().string(), hint);
}

/// What other programs keep in zip archives, by name.
void refuse_other_archives(const ZipReader& zip) {
  constexpr const char* save = "save its weights alone: torch.save(model.state_dict(), 'weights.pth')";
  if (any_entry(zip, "/constants.pkl")) refuse("a TorchScript archive, which holds a program", save, zip);
  if (zip.has("model.weights.h5"))
    refuse("a .keras archive", "in Keras: model.save('weights.h5'), the layout that is read", zip);
  if (any_entry(zip, ".npy")) refuse("an archive of NumPy arrays", "save them with safetensors.numpy.save_file", zip);
  refuse("a zip archive without weights of PyTorch", save, zip);
}

/// The folder of the archive that everything lies in, with its slash: it is named after the file that was saved.
std::string folder_of(const ZipReader& zip) {
  if (any_entry(zip, "/constants.pkl")) refuse_other_archives(zip);
  for (const auto& [name, entry] : zip.entries()) {
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos && name.substr(slash + 1) == pickle_name) return name.substr(0, slash + 1);
  }
  refuse_other_archives(zip);
  return "";
}

std::map<std::string, std::string> read_metadata(const ZipReader& zip, const std::string& folder) {
  std::map<std::string, std::string> metadata;
  const std::string name = folder + std::string(metadata_name);
  if (!zip.has(name)) return metadata;
  const Json json = Json::parse(zip.read_text(name, longest_record), nullptr, false);
  if (!json.is_object())
    refuse(fmt::format("damaged weights: {} is not a JSON object", name), "copy or write the file again", zip);
  for (const auto& [key, text] : json.items()) {
    if (text.is_string()) metadata[key] = text.get<std::string>();
  }
  return metadata;
}

std::string_view storage_name(at::ScalarType type, const std::string& tensor, const std::filesystem::path& file) {
  if (const std::string_view name = storage_type_name(type); !name.empty()) return name;
  throw Error(fmt::format("tensor {} has the type {}, which is not written", tensor, c10::toString(type)),
              file.string(), "convert it to float32 first");
}

std::string pickle_of(const WeightFile& weights, const std::filesystem::path& file) {
  PickleWriter pickle;
  pickle.begin_dictionary();
  for (std::size_t i = 0; i < weights.tensors.size(); ++i) {
    const auto& [name, tensor] = weights.tensors[i];
    pickle.add_tensor(name, storage_name(tensor.scalar_type(), name, file), std::to_string(i), tensor.numel(),
                      tensor.sizes().vec());
  }
  return pickle.finish();
}

}  // namespace

WeightFile read_torch_zip(const std::filesystem::path& path) {
  const ZipReader zip(path);
  const std::string folder = folder_of(zip), where = path.string();
  if (zip.has(folder + "byteorder") && zip.read_text(folder + "byteorder", longest_record) != "little")
    refuse("weights of a big-endian machine", "load and save them on a little-endian one", zip);
  const std::string text = zip.read_text(folder + std::string(pickle_name), longest_pickle);
  const Pickle pickle({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, where, is_harmless_global);
  WeightFile weights = make_tensors(
      state_dict_plan(pickle.root(), where),
      [&](const StoragePlan& plan) {
        const std::string name = folder + "data/" + plan.key;
        if (zip.entry(name).size != plan.bytes())
          refuse(fmt::format("damaged weights: {} has {} bytes, {} by the pickle", name, zip.entry(name).size,
                             plan.bytes()),
                 "copy or save the file again", zip);
        at::Tensor storage = empty_storage(plan);
        zip.read(name, bytes_of(storage));
        return storage;
      },
      where);
  weights.metadata = read_metadata(zip, folder);
  if (!zip.has_checksums()) weights.notes.push_back("the file was saved without checksums: its bytes are not compared");
  return weights;
}

void write_torch_zip(const std::filesystem::path& path, const WeightFile& weights) {
  const std::string folder = "archive/";
  const std::string pickle = pickle_of(weights, path);  // before the file is made: it refuses types
  ZipWriter zip(path);
  zip.add(folder + std::string(pickle_name), pickle);
  zip.add(folder + ".format_version", "1");
  zip.add(folder + ".storage_alignment", "64");
  zip.add(folder + "byteorder", "little");
  if (!weights.metadata.empty()) zip.add(folder + std::string(metadata_name), Json(weights.metadata).dump());
  for (std::size_t i = 0; i < weights.tensors.size(); ++i) {
    const at::Tensor plain = weights.tensors[i].second.detach().cpu().contiguous();
    zip.add(fmt::format("{}data/{}", folder, i),
            {static_cast<const std::uint8_t*>(plain.const_data_ptr()), plain.nbytes()});
  }
  zip.add(folder + "version", "3\n");
  zip.finish();
}

}  // namespace lockstep
