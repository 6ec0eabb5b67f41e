#include "lockstep/weights/safetensors.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/partial_file.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

struct TypeName {
  std::string_view name;
  at::ScalarType type;
};
constexpr std::array type_names{TypeName{"F16", at::kHalf},  TypeName{"BF16", at::kBFloat16},
                                TypeName{"F32", at::kFloat}, TypeName{"F64", at::kDouble},
                                TypeName{"I8", at::kChar},   TypeName{"I16", at::kShort},
                                TypeName{"I32", at::kInt},   TypeName{"I64", at::kLong},
                                TypeName{"U8", at::kByte},   TypeName{"BOOL", at::kBool}};
constexpr std::uint64_t header_limit = 100'000'000;  // the reference reader's

Error damaged(const std::string& what, const std::filesystem::path& file) {
  return Error("not a whole safetensors file: " + what, file.string(), "copy or write the file again");
}

std::string_view name_of_type(at::ScalarType type, const std::string& tensor, const std::filesystem::path& file) {
  for (const TypeName& pair : type_names) {
    if (pair.type == type) return pair.name;
  }
  throw Error(fmt::format("tensor {} has the type {}, which is not written", tensor, c10::toString(type)),
              file.string(), "convert it to float32 first");
}

/// One entry of the header, checked.
struct Entry {
  std::string name;
  at::ScalarType type;
  std::vector<std::int64_t> shape;
  std::uint64_t begin, end;
};

Entry read_entry(const std::string& name, const Json& json, const std::filesystem::path& file) {
  Entry entry{name, at::kFloat, {}, 0, 0};
  try {
    const auto type = json.at("dtype").get<std::string>();
    const auto* found =
        std::find_if(type_names.begin(), type_names.end(), [&](const TypeName& pair) { return pair.name == type; });
    if (found == type_names.end()) throw damaged(fmt::format("tensor {} has the unknown type {}", name, type), file);
    entry.type = found->type;
    for (const Json& size : json.at("shape"))
      entry.shape.push_back(static_cast<std::int64_t>(size.get<std::uint64_t>()));
    entry.begin = json.at("data_offsets").at(0).get<std::uint64_t>();
    entry.end = json.at("data_offsets").at(1).get<std::uint64_t>();
  } catch (const Json::exception& error) {
    throw damaged(fmt::format("tensor {}: {}", name, error.what()), file);
  }
  std::uint64_t bytes = c10::elementSize(entry.type);
  for (const std::int64_t size : entry.shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
      throw damaged(fmt::format("tensor {} has an impossible shape", name), file);
    }
  }
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) {
    throw damaged(
        fmt::format("tensor {} takes {} bytes by its shape, {} by its offsets", name, bytes, entry.end - entry.begin),
        file);
  }
  return entry;
}

/// The entries must tile the data exactly, as the format demands.
void check_tiling(std::vector<Entry> entries, std::uint64_t data_bytes, const std::filesystem::path& file) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at)
      throw damaged(fmt::format("tensor {} starts at byte {}, expected {}", entry.name, entry.begin, at), file);
    at = entry.end;
  }
  if (at != data_bytes) throw damaged(fmt::format("{} bytes of data, {} by the header", data_bytes, at), file);
}

Json parse_header(const RandomAccessFile& file, std::uint64_t& header_bytes) {
  std::array<std::uint8_t, 8> length{};
  if (file.size() < 8) throw damaged(fmt::format("{} bytes", file.size()), file.path());
  file.read(0, length);
  std::memcpy(&header_bytes, length.data(), 8);
  if (header_bytes > header_limit || header_bytes > file.size() - 8) {
    throw damaged(fmt::format("a header of {} bytes in a file of {}", header_bytes, file.size()), file.path());
  }
  std::string text(header_bytes, '\0');
  file.read(8, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  Json header = Json::parse(text, nullptr, false);
  if (!header.is_object()) throw damaged("the header is not a JSON object", file.path());
  return header;
}

std::string header_of(const WeightFile& weights, const std::filesystem::path& file) {
  Json header = Json::object();
  if (!weights.metadata.empty()) header["__metadata__"] = weights.metadata;
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
    header[name] = {{"dtype", name_of_type(tensor.scalar_type(), name, file)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts at a multiple of 8
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const WeightFile& weights) {
  const std::string header = header_of(weights, path);
  PartialFile file(path);
  const std::uint64_t length = header.size();
  file.append({reinterpret_cast<const std::uint8_t*>(&length), sizeof length});
  file.append(header);
  for (const auto& [name, tensor] : weights.tensors) {
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    file.append({static_cast<const std::uint8_t*>(plain.const_data_ptr()), plain.nbytes()});
  }
  file.publish();
}

WeightFile read_safetensors(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  std::uint64_t header_bytes = 0;
  const Json header = parse_header(file, header_bytes);
  WeightFile weights;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(read_entry(name, value, path));
    } else if (value.is_object()) {
      for (const auto& [key, text] : value.items()) {
        if (text.is_string()) weights.metadata[key] = text.get<std::string>();
      }
    }
  }
  check_tiling(entries, file.size() - 8 - header_bytes, path);
  for (const Entry& entry : entries) {
    const at::Tensor tensor = at::empty(entry.shape, entry.type);
    file.read(8 + header_bytes + entry.begin, {static_cast<std::uint8_t*>(tensor.data_ptr()), tensor.nbytes()});
    weights.tensors.emplace_back(entry.name, tensor);
  }
  return weights;
}

}  // namespace lockstep
