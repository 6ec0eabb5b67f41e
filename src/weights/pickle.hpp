// Python's pickle read without Python: it builds numbers, texts, lists, dictionaries and notes of what was to be
// called.
//
// Source: Lib/pickletools.py of CPython (the machine's instructions, protocols 2 to 5). A name of a function or class
// ("module.name") is looked up in a list of harmless ones; any other is refused by name. Calls are not made: they stay
// in the tree as Kind::call, for the caller to understand. Instructions that torch.save does not use are refused by
// number. Nothing recurses, so nesting has no limit and costs no stack; the number of values has one. One thread; the
// values live as long as the Pickle. Memory: about 150 bytes for each value. Errors name file and byte.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep {

struct PickleValue {
  enum class Kind { none, boolean, integer, real, text, bytes, tuple, list, dictionary, set, global, persistent, call };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  ///< of a boolean too; 0 for integers beyond 64 bits, whose bytes are in text
  double real = 0;
  std::string text;  ///< of a text, of bytes; "module.name" of a global
  /// Elements; of a dictionary keys and values in turn; of a call the global and the tuple of arguments; of a
  /// persistent the one value that names it.
  std::vector<const PickleValue*> items;
};

class Pickle {
 public:
  using Allowed = std::function<bool(std::string_view global)>;

  /// Reads one pickle from the beginning of `bytes`; what follows it is not looked at. `where`: the file, for errors.
  Pickle(std::span<const std::uint8_t> bytes, std::string where, Allowed allowed);

  const PickleValue& root() const { return *root_; }
  std::size_t bytes() const { return at_; }  ///< how many it took
  /// All persistent values, in file order.
  const std::vector<const PickleValue*>& persistents() const { return persistents_; }

 private:
  using Kind = PickleValue::Kind;

  void run();
  bool step(std::uint8_t instruction);
  bool step_constant(std::uint8_t instruction);
  bool step_container(std::uint8_t instruction);
  bool step_memo(std::uint8_t instruction);
  bool step_object(std::uint8_t instruction);

  std::span<const std::uint8_t> take(std::uint64_t count);
  template <typename Number>
  Number take_number();
  std::string take_text(std::uint64_t count);
  std::string take_line();
  void push_text(Kind kind, std::uint64_t count);
  void push_long(std::uint64_t count);
  void push_global(const std::string& name);

  PickleValue& make(Kind kind);
  PickleValue& push(Kind kind);
  PickleValue* pop();
  PickleValue& top();
  std::vector<const PickleValue*> pop_to_mark();
  void push_tuple(std::size_t count);
  void extend(PickleValue& target, const std::vector<const PickleValue*>& items);
  void call();
  void build();
  void remember(std::uint64_t index);
  void recall(std::uint64_t index);
  [[noreturn]] void fail(const std::string& what) const;

  std::span<const std::uint8_t> input_;
  std::string where_;
  Allowed allowed_;
  std::size_t at_ = 0, copied_ = 0;
  std::deque<PickleValue> values_;  // stay where they are
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
  std::vector<const PickleValue*> persistents_;
  const PickleValue* root_ = nullptr;
};

}  // namespace lockstep
