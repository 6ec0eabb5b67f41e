#include "weights/torch_objects.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

using Kind = PickleValue::Kind;
using Values = std::vector<const PickleValue*>;

struct StorageType {
  std::string_view name;
  c10::ScalarType type;
};
constexpr std::array storage_types{StorageType{"torch.FloatStorage", c10::ScalarType::Float},
                                   StorageType{"torch.DoubleStorage", c10::ScalarType::Double},
                                   StorageType{"torch.HalfStorage", c10::ScalarType::Half},
                                   StorageType{"torch.BFloat16Storage", c10::ScalarType::BFloat16},
                                   StorageType{"torch.LongStorage", c10::ScalarType::Long},
                                   StorageType{"torch.IntStorage", c10::ScalarType::Int},
                                   StorageType{"torch.ShortStorage", c10::ScalarType::Short},
                                   StorageType{"torch.CharStorage", c10::ScalarType::Char},
                                   StorageType{"torch.ByteStorage", c10::ScalarType::Byte},
                                   StorageType{"torch.BoolStorage", c10::ScalarType::Bool}};

constexpr std::string_view rebuild_tensor = "torch._utils._rebuild_tensor",
                           rebuild_tensor_v2 = "torch._utils._rebuild_tensor_v2",
                           rebuild_parameter = "torch._utils._rebuild_parameter",
                           rebuild_parameter_with_state = "torch._utils._rebuild_parameter_with_state";
/// Values that lie beside weights in checkpoints. They are noted and left out.
constexpr std::array bystanders{"collections.OrderedDict",
                                "collections.Counter",
                                "torch.Size",
                                "torch.device",
                                "builtins.set",
                                "__builtin__.set",
                                "torch.float16",
                                "torch.bfloat16",
                                "torch.float32",
                                "torch.float64",
                                "torch.int8",
                                "torch.int16",
                                "torch.int32",
                                "torch.int64",
                                "torch.uint8",
                                "torch.bool",
                                "torch.strided",
                                "torch.channels_last",
                                "torch.preserve_format",
                                "torch.contiguous_format"};
/// Under which a checkpoint keeps its state dict, the first that is there.
constexpr std::array usual_names{"state_dict", "model", "model_state_dict"};

/// More elements than its storage has only an expanded tensor asks for; such ones are small.
constexpr std::int64_t most_expanded = std::int64_t{1} << 24;

Error damaged(const std::string& what, const std::string& where) {
  return Error("damaged weights: " + what, where, "copy or save the file again");
}

const PickleValue& item(const PickleValue& value, std::size_t index, const std::string& where) {
  if (index >= value.items.size()) throw damaged("a call with too few arguments", where);
  return *value.items[index];
}

std::int64_t integer(const PickleValue& value, const std::string& where) {
  if (value.kind != Kind::integer || !value.text.empty() || value.integer < 0)
    throw damaged("a count that is none", where);
  return value.integer;
}

/// A tuple of counts; torch.Size((…)) too.
std::vector<std::int64_t> integers(const PickleValue& value, const std::string& where) {
  const bool is_size = value.kind == Kind::call && value.items[0]->text == "torch.Size";
  const PickleValue& list = is_size ? item(*value.items[1], 0, where) : value;
  if (list.kind != Kind::tuple && list.kind != Kind::list) throw damaged("a shape that is none", where);
  if (list.items.size() > 64) throw damaged(fmt::format("a tensor of {} axes", list.items.size()), where);
  std::vector<std::int64_t> numbers;
  for (const PickleValue* number : list.items) numbers.push_back(integer(*number, where));
  return numbers;
}

/// The call that makes a tensor, also where a parameter is wrapped around it; null for any other value.
const PickleValue* tensor_call(const PickleValue& value) {
  const PickleValue* call = &value;
  for (int wrapped = 0; call->kind == Kind::call && wrapped < 3; ++wrapped) {
    const std::string& function = call->items[0]->text;
    if (function == rebuild_tensor || function == rebuild_tensor_v2) return call;
    const bool wraps = function == rebuild_parameter || function == rebuild_parameter_with_state;
    if (!wraps || call->items[1]->items.empty()) return nullptr;
    call = call->items[1]->items[0];
  }
  return nullptr;
}

/// That every element the tensor reaches lies in its storage. An empty one reaches none.
void check_extent(const TensorPlan& plan, const std::string& where) {
  if (plan.sizes.size() != plan.strides.size())
    throw damaged(
        fmt::format("tensor {} has {} sizes and {} strides", plan.name, plan.sizes.size(), plan.strides.size()), where);
  if (std::ranges::find(plan.sizes, 0) != plan.sizes.end()) return;
  std::int64_t count = 1, last = plan.offset;
  for (std::size_t axis = 0; axis < plan.sizes.size(); ++axis) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(count, plan.sizes[axis], &count) ||
        __builtin_mul_overflow(plan.sizes[axis] - 1, plan.strides[axis], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      throw damaged(fmt::format("tensor {} has an impossible shape", plan.name), where);
  }
  if (last >= plan.storage.elements)
    throw damaged(
        fmt::format("tensor {} reaches to element {} of a storage of {}", plan.name, last, plan.storage.elements),
        where);
  if (count > std::max(plan.storage.elements, most_expanded))
    throw damaged(
        fmt::format("tensor {} makes {} elements of a storage of {}", plan.name, count, plan.storage.elements), where);
}

TensorPlan tensor_plan(const std::string& name, const PickleValue& call, const std::string& where) {
  const PickleValue& arguments = *call.items[1];
  TensorPlan plan;
  plan.name = name;
  plan.storage = storage_plan(item(arguments, 0, where), where);
  if (__builtin_add_overflow(plan.storage.begin, integer(item(arguments, 1, where), where), &plan.offset))
    throw damaged(fmt::format("tensor {} has an impossible place", name), where);
  plan.sizes = integers(item(arguments, 2, where), where);
  plan.strides = integers(item(arguments, 3, where), where);
  check_extent(plan, where);
  if (arguments.items.size() > 6 && !arguments.items[6]->items.empty())  // conjugated or negated lazily
    throw Error(fmt::format("tensor {} is a view that PyTorch has yet to compute", name), where,
                "save its clone: {k: v.clone() for k, v in model.state_dict().items()}");
  return plan;
}

bool has_tensors(const PickleValue& value) {
  if (value.kind != Kind::dictionary) return false;
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
    if (value.items[i]->kind == Kind::text && tensor_call(*value.items[i + 1]) != nullptr) return true;
  }
  return false;
}

const PickleValue* entry(const PickleValue& dictionary, std::string_view key) {
  for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
    if (dictionary.items[i]->kind == Kind::text && dictionary.items[i]->text == key) return dictionary.items[i + 1];
  }
  return nullptr;
}

bool is_utf8(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace) ==
         Json(text).dump(-1, ' ', false, Json::error_handler_t::ignore);
}

/// How a key reads in a note.
std::string shown(const PickleValue& key) {
  if (key.kind == Kind::integer) return std::to_string(key.integer);
  const bool is_shown = key.kind == Kind::text && key.text.size() < 200 && is_utf8(key.text);
  return is_shown ? key.text : "?";
}

std::string left_out(const Values& keys) {
  constexpr std::size_t most_shown = 8;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(keys.size(), most_shown); ++i) names.push_back(shown(*keys[i]));
  const std::string more = keys.size() > most_shown ? fmt::format(", … ({} in all)", keys.size()) : "";
  return fmt::format("left out, no weights: {}{}", fmt::join(names, ", "), more);
}

[[noreturn]] void refuse_contents(const PickleValue& root, const std::string& where) {
  Values keys;
  for (std::size_t i = 0; root.kind == Kind::dictionary && i + 1 < root.items.size(); i += 2)
    keys.push_back(root.items[i]);
  throw Error(keys.empty() ? "no state dict in the file" : "no state dict in the file; " + left_out(keys), where,
              "save one: torch.save(model.state_dict(), 'weights.pth')");
}

/// The dictionary with the weights; says so if it is not the root. Checkpoints may hold tensors of their own beside it,
/// state dicts no dictionaries.
const PickleValue& find_state_dict(const PickleValue& root, std::vector<std::string>& notes, const std::string& where) {
  if (root.kind != Kind::dictionary) refuse_contents(root, where);
  for (const char* name : usual_names) {
    const PickleValue* found = entry(root, name);
    if (found == nullptr || !has_tensors(*found)) continue;
    Values others;
    for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
      if (root.items[i + 1] != found) others.push_back(root.items[i]);
    }
    notes.push_back(fmt::format("the weights lie under '{}'", name));
    if (!others.empty()) notes.push_back(left_out(others));
    return *found;
  }
  if (!has_tensors(root)) refuse_contents(root, where);
  return root;
}

}  // namespace

std::string_view storage_type_name(c10::ScalarType type) {
  for (const StorageType& known : storage_types) {
    if (known.type == type) return known.name;
  }
  return "";
}

bool is_harmless_global(std::string_view name) {
  if (std::ranges::find(bystanders, name) != bystanders.end()) return true;
  if (std::ranges::any_of(storage_types, [&](const StorageType& type) { return type.name == name; })) return true;
  return name == rebuild_tensor || name == rebuild_tensor_v2 || name == rebuild_parameter ||
         name == rebuild_parameter_with_state;
}

StoragePlan storage_plan(const PickleValue& persistent, const std::string& where) {
  if (persistent.kind != Kind::persistent) throw damaged("a tensor without a storage", where);
  const PickleValue& id = *persistent.items[0];
  if (id.kind != Kind::tuple || id.items.size() < 5 || id.items[0]->text != "storage")
    throw damaged("a storage that is none", where);
  StoragePlan plan;
  const auto* type =
      std::ranges::find_if(storage_types, [&](const StorageType& known) { return known.name == id.items[1]->text; });
  if (type == storage_types.end()) throw damaged("a storage of an unknown type", where);
  plan.type = type->type;
  plan.key = id.items[2]->kind == Kind::integer ? std::to_string(id.items[2]->integer) : id.items[2]->text;
  plan.elements = integer(*id.items[4], where);
  if (plan.elements > (std::int64_t{1} << 58)) throw damaged("a storage of an impossible size", where);
  if (id.items.size() > 5 && id.items[5]->kind == Kind::tuple)
    plan.begin = integer(item(*id.items[5], 1, where), where);
  return plan;
}

StateDictPlan state_dict_plan(const PickleValue& root, const std::string& where) {
  StateDictPlan plan;
  const PickleValue& dictionary = find_state_dict(root, plan.notes, where);
  Values others;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
    const PickleValue& key = *dictionary.items[i];
    const PickleValue* call = tensor_call(*dictionary.items[i + 1]);
    if (key.kind != Kind::text || call == nullptr) {
      others.push_back(&key);
      continue;
    }
    if (shown(key) == "?") throw damaged("a tensor's name that is not UTF-8, or too long", where);
    if (!names.insert(key.text).second) throw damaged(fmt::format("tensor {} stands there twice", key.text), where);
    plan.tensors.push_back(tensor_plan(key.text, *call, where));
  }
  if (!others.empty()) plan.notes.push_back(left_out(others));
  return plan;
}

}  // namespace lockstep
