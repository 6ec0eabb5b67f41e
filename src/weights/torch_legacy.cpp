// The format of torch.save before PyTorch 1.6: five pickles (magic number, protocol, the machine, the object, the keys
// of its storages), then each storage's length and bytes.
#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/weights/torch_file.hpp"
#include "weights/torch_tensors.hpp"

namespace lockstep {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::uint64_t longest_pickles = std::uint64_t{64} << 20;

Error damaged(const std::string& what, const std::string& where) {
  return Error("damaged weights: " + what, where, "it was cut short or changed: copy or save it again");
}

/// The pickles of the file's beginning, one after the other.
class Pickles {
 public:
  explicit Pickles(const RandomAccessFile& file)
      : bytes_(std::min(file.size(), longest_pickles)), where_(file.path().string()) {
    file.read(0, bytes_);
  }

  Pickle next(const Pickle::Allowed& allowed) {
    Pickle pickle(std::span<const std::uint8_t>(bytes_).subspan(at_), where_, allowed);
    at_ += pickle.bytes();
    return pickle;
  }
  std::uint64_t position() const { return at_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::string where_;
  std::size_t at_ = 0;
};

bool no_globals(std::string_view) { return false; }

void check_heading(Pickles& pickles, const std::string& where) {
  if (pickles.next(no_globals).root().text != magic)
    throw Error("a pickle that torch.save did not write", where,
                "save weights with torch.save(model.state_dict(), 'weights.pth')");
  if (const Pickle protocol = pickles.next(no_globals); protocol.root().integer != 1001)
    throw damaged(fmt::format("version {} of the format, 1001 is read", protocol.root().integer), where);
  const Pickle machine = pickles.next(no_globals);
  for (std::size_t i = 0; i + 1 < machine.root().items.size(); i += 2) {
    if (machine.root().items[i]->text == "little_endian" && machine.root().items[i + 1]->integer == 0)
      throw Error("weights of a big-endian machine", where, "load and save them on a little-endian one");
  }
}

/// Where in the file each storage's bytes begin, by its key. Errors: one that the file is too short for.
std::map<std::string, std::uint64_t> find_storages(const Pickle& object, const Pickle& keys, std::uint64_t at,
                                                   const RandomAccessFile& file) {
  const std::string where = file.path().string();
  std::map<std::string, StoragePlan> plans;
  for (const PickleValue* persistent : object.persistents()) {
    StoragePlan plan = storage_plan(*persistent, where);
    plans.insert_or_assign(plan.key, std::move(plan));
  }
  std::map<std::string, std::uint64_t> places;
  for (const PickleValue* key : keys.root().items) {
    const auto plan = plans.find(key->kind == Kind::integer ? std::to_string(key->integer) : key->text);
    if (plan == plans.end()) throw damaged("a storage that no tensor has", where);
    std::int64_t elements = 0;
    if (file.size() - at < sizeof elements) throw damaged("it ends before its last storage", where);
    file.read(at, {reinterpret_cast<std::uint8_t*>(&elements), sizeof elements});
    at += sizeof elements;
    if (elements != plan->second.elements)
      throw damaged(
          fmt::format("storage {} has {} elements, {} by the pickle", plan->first, elements, plan->second.elements),
          where);
    if (plan->second.bytes() > file.size() - at) throw damaged("it ends before its last storage", where);
    places[plan->first] = at;
    at += plan->second.bytes();
  }
  return places;
}

}  // namespace

WeightFile read_torch_legacy(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  const std::string where = path.string();
  StateDictPlan plan;
  std::map<std::string, std::uint64_t> places;
  {
    Pickles pickles(file);
    check_heading(pickles, where);
    const Pickle object = pickles.next(is_harmless_global);
    plan = state_dict_plan(object.root(), where);
    const Pickle keys = pickles.next(no_globals);
    places = find_storages(object, keys, pickles.position(), file);
  }
  return make_tensors(
      plan,
      [&](const StoragePlan& storage_of) {
        const auto place = places.find(storage_of.key);
        if (place == places.end() || storage_of.bytes() > file.size() - place->second)
          throw damaged(fmt::format("no storage {}", storage_of.key), where);
        at::Tensor storage = empty_storage(storage_of);
        file.read(place->second, bytes_of(storage));
        return storage;
      },
      where);
}

}  // namespace lockstep
