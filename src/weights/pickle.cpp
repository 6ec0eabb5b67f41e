#include "weights/pickle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t most_values = 4'000'000;  // a checkpoint of a thousand tensors with its optimiser has some 50,000
constexpr std::string_view ordered_dict = "collections.OrderedDict";

// clang-format off
/// The instructions that torch.save uses, by the names that pickletools gives them.
enum Instruction : std::uint8_t {
  MARK = '(', STOP = '.', POP = '0', POP_MARK = '1', DUP = '2', NONE = 'N', NEWTRUE = 0x88, NEWFALSE = 0x89,
  BININT = 'J', BININT1 = 'K', BININT2 = 'M', LONG1 = 0x8a, LONG4 = 0x8b, BINFLOAT = 'G',
  BINSTRING = 'T', SHORT_BINSTRING = 'U', BINUNICODE = 'X', SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d,
  BINBYTES = 'B', SHORT_BINBYTES = 'C', BINBYTES8 = 0x8e, BYTEARRAY8 = 0x96,
  EMPTY_LIST = ']', APPEND = 'a', APPENDS = 'e', LIST = 'l',
  EMPTY_TUPLE = ')', TUPLE = 't', TUPLE1 = 0x85, TUPLE2 = 0x86, TUPLE3 = 0x87,
  EMPTY_DICT = '}', DICT = 'd', SETITEM = 's', SETITEMS = 'u', EMPTY_SET = 0x8f, ADDITEMS = 0x90, FROZENSET = 0x91,
  BINGET = 'h', LONG_BINGET = 'j', BINPUT = 'q', LONG_BINPUT = 'r', MEMOIZE = 0x94,
  GLOBAL = 'c', STACK_GLOBAL = 0x93, REDUCE = 'R', NEWOBJ = 0x81, BUILD = 'b', BINPERSID = 'Q',
  PROTO = 0x80, FRAME = 0x95,
};
// clang-format on

}  // namespace

Pickle::Pickle(std::span<const std::uint8_t> bytes, std::string where, Allowed allowed)
    : input_(bytes), where_(std::move(where)), allowed_(std::move(allowed)) {
  run();
}

void Pickle::fail(const std::string& what) const {
  throw Error(fmt::format("damaged pickle: {} at byte {}", what, at_), where_,
              "it was cut short or changed: copy or save it again");
}

void Pickle::run() {
  while (root_ == nullptr) {
    const auto instruction = take_number<std::uint8_t>();
    if (!step(instruction)) fail(fmt::format("the instruction 0x{:02x}, which torch.save does not use,", instruction));
    if (values_.size() > most_values) fail(fmt::format("more than {} values", most_values));
  }
}

bool Pickle::step(std::uint8_t instruction) {
  switch (instruction) {
    case PROTO: {
      const auto protocol = take_number<std::uint8_t>();
      if (protocol < 2 || protocol > 5) fail(fmt::format("protocol {}, 2 to 5 are read,", protocol));
      return true;
    }
    case FRAME:
      take_number<std::uint64_t>();
      return true;
    case MARK:
      marks_.push_back(stack_.size());
      return true;
    case STOP:
      root_ = pop();
      return true;
    case POP:
      pop();
      return true;
    case POP_MARK:
      pop_to_mark();
      return true;
    case DUP:
      stack_.push_back(&top());
      return true;
    default:
      return step_constant(instruction) || step_container(instruction) || step_memo(instruction) ||
             step_object(instruction);
  }
}

bool Pickle::step_constant(std::uint8_t instruction) {
  switch (instruction) {
    case NONE:
      push(Kind::none);
      return true;
    case NEWTRUE:
    case NEWFALSE:
      push(Kind::boolean).integer = instruction == NEWTRUE;
      return true;
    case BININT:
      push(Kind::integer).integer = take_number<std::int32_t>();
      return true;
    case BININT1:
      push(Kind::integer).integer = take_number<std::uint8_t>();
      return true;
    case BININT2:
      push(Kind::integer).integer = take_number<std::uint16_t>();
      return true;
    case LONG1:
      push_long(take_number<std::uint8_t>());
      return true;
    case LONG4:
      push_long(take_number<std::uint32_t>());
      return true;
    case BINFLOAT:
      push(Kind::real).real = std::bit_cast<double>(__builtin_bswap64(take_number<std::uint64_t>()));
      return true;
    case SHORT_BINSTRING:
    case SHORT_BINUNICODE:
      push_text(Kind::text, take_number<std::uint8_t>());
      return true;
    case BINSTRING:
    case BINUNICODE:
      push_text(Kind::text, take_number<std::uint32_t>());
      return true;
    case BINUNICODE8:
      push_text(Kind::text, take_number<std::uint64_t>());
      return true;
    case SHORT_BINBYTES:
      push_text(Kind::bytes, take_number<std::uint8_t>());
      return true;
    case BINBYTES:
      push_text(Kind::bytes, take_number<std::uint32_t>());
      return true;
    case BINBYTES8:
    case BYTEARRAY8:
      push_text(Kind::bytes, take_number<std::uint64_t>());
      return true;
    default:
      return false;
  }
}

bool Pickle::step_container(std::uint8_t instruction) {
  switch (instruction) {
    case EMPTY_LIST:
      push(Kind::list);
      return true;
    case EMPTY_TUPLE:
      push(Kind::tuple);
      return true;
    case EMPTY_DICT:
      push(Kind::dictionary);
      return true;
    case EMPTY_SET:
      push(Kind::set);
      return true;
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
      push_tuple(static_cast<std::size_t>(instruction - TUPLE1 + 1));
      return true;
    case TUPLE:
    case LIST:
    case DICT:
    case FROZENSET: {
      auto items = pop_to_mark();
      const Kind kind = instruction == TUPLE  ? Kind::tuple
                        : instruction == LIST ? Kind::list
                        : instruction == DICT ? Kind::dictionary
                                              : Kind::set;
      if (kind == Kind::dictionary && items.size() % 2 != 0) fail("a key without a value");
      push(kind).items = std::move(items);
      return true;
    }
    case APPEND: {
      const PickleValue* item = pop();
      extend(top(), {item});
      return true;
    }
    case SETITEM: {
      const PickleValue* value = pop();
      const PickleValue* key = pop();
      if (top().kind != Kind::dictionary) fail("an entry for what is no dictionary");
      extend(top(), {key, value});
      return true;
    }
    case APPENDS:
    case ADDITEMS:
    case SETITEMS: {
      const auto items = pop_to_mark();
      if ((instruction == SETITEMS) != (top().kind == Kind::dictionary)) fail("entries of another kind of container");
      extend(top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Pickle::step_memo(std::uint8_t instruction) {
  switch (instruction) {
    case BINPUT:
      remember(take_number<std::uint8_t>());
      return true;
    case LONG_BINPUT:
      remember(take_number<std::uint32_t>());
      return true;
    case MEMOIZE:
      remember(memo_.size());
      return true;
    case BINGET:
      recall(take_number<std::uint8_t>());
      return true;
    case LONG_BINGET:
      recall(take_number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

bool Pickle::step_object(std::uint8_t instruction) {
  switch (instruction) {
    case GLOBAL: {
      const std::string module = take_line();
      push_global(module + "." + take_line());
      return true;
    }
    case STACK_GLOBAL: {
      const PickleValue *name = pop(), *module = pop();
      if (name->kind != Kind::text || module->kind != Kind::text) fail("a name that is no text");
      push_global(module->text + "." + name->text);
      return true;
    }
    case REDUCE:
    case NEWOBJ:
      call();
      return true;
    case BUILD:
      build();
      return true;
    case BINPERSID: {
      const PickleValue* id = pop();
      PickleValue& value = push(Kind::persistent);
      value.items = {id};
      persistents_.push_back(&value);
      return true;
    }
    default:
      return false;
  }
}

std::span<const std::uint8_t> Pickle::take(std::uint64_t count) {
  if (count > input_.size() - at_) fail("it ends in the middle");
  const auto taken = input_.subspan(at_, count);
  at_ += count;
  return taken;
}

template <typename Number>
Number Pickle::take_number() {
  Number value;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

std::string Pickle::take_text(std::uint64_t count) {
  const auto bytes = take(count);
  return {bytes.begin(), bytes.end()};
}

std::string Pickle::take_line() {
  const auto rest = input_.subspan(at_);
  const auto end = std::find(rest.begin(), rest.end(), '\n');
  if (end == rest.end()) fail("a name without an end");
  const std::string line = take_text(static_cast<std::uint64_t>(end - rest.begin()));
  ++at_;
  return line;
}

void Pickle::push_text(Kind kind, std::uint64_t count) {
  std::string text = take_text(count);
  push(kind).text = std::move(text);
}

/// Little-endian, two's complement, of any length.
void Pickle::push_long(std::uint64_t count) {
  const auto bytes = take(count);
  PickleValue& value = push(Kind::integer);
  if (count > sizeof value.integer) {
    value.text.assign(bytes.begin(), bytes.end());
    return;
  }
  const bool negative = count > 0 && (bytes.back() & 0x80) != 0;
  std::uint64_t number = negative ? ~std::uint64_t{0} : 0;
  std::memcpy(&number, bytes.data(), count);
  value.integer = static_cast<std::int64_t>(number);
}

void Pickle::push_global(const std::string& name) {
  const bool is_printable = std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_printable || name.size() > 200) fail("a name that is none");
  if (!allowed_(name)) {
    throw Error(fmt::format("the file asks to call {}, which is no part of a tensor: nothing was executed", name),
                where_,
                "load it with the program that wrote it and save the weights alone: "
                "torch.save(model.state_dict(), 'weights.pth')");
  }
  push(Kind::global).text = name;
}

PickleValue& Pickle::make(Kind kind) {
  PickleValue& value = values_.emplace_back();
  value.kind = kind;
  return value;
}

PickleValue& Pickle::push(Kind kind) {
  PickleValue& value = make(kind);
  stack_.push_back(&value);
  return value;
}

PickleValue* Pickle::pop() {
  PickleValue* value = &top();
  stack_.pop_back();
  return value;
}

PickleValue& Pickle::top() {
  const std::size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= bottom) fail("a value is missing");
  return *stack_.back();
}

std::vector<const PickleValue*> Pickle::pop_to_mark() {
  if (marks_.empty()) fail("a mark is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<const PickleValue*> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void Pickle::push_tuple(std::size_t count) {
  std::vector<const PickleValue*> items(count);
  for (std::size_t i = count; i > 0; --i) items[i - 1] = pop();
  push(Kind::tuple).items = std::move(items);
}

void Pickle::extend(PickleValue& target, const std::vector<const PickleValue*>& items) {
  if (target.kind != Kind::list && target.kind != Kind::dictionary && target.kind != Kind::set)
    fail("elements for what is no container");
  if (target.kind == Kind::dictionary && items.size() % 2 != 0) fail("a key without a value");
  target.items.insert(target.items.end(), items.begin(), items.end());
}

/// An ordered dictionary is made, from nothing or from its pairs (as Python 2 wrote it); all else is noted.
void Pickle::call() {
  const PickleValue *arguments = pop(), *function = pop();
  if (function->kind != Kind::global || arguments->kind != Kind::tuple) fail("a call of what is no function");
  if (function->text != ordered_dict) {
    push(Kind::call).items = {function, arguments};
    return;
  }
  PickleValue& made = push(Kind::dictionary);
  if (arguments->items.empty()) return;
  const PickleValue& pairs = *arguments->items.front();
  if (pairs.kind != Kind::list) fail("an ordered dictionary of what is no list");
  copied_ += pairs.items.size();  // one list may be named by any number of calls
  if (copied_ > most_values) fail("too many pairs");
  for (const PickleValue* pair : pairs.items) {
    if (pair->items.size() != 2) fail("an ordered dictionary of what are no pairs");
    made.items.insert(made.items.end(), pair->items.begin(), pair->items.end());
  }
}

/// A state dict carries attributes (the version of each module's layout), which are no weights. Nothing else has a
/// state to be set.
void Pickle::build() {
  pop();
  if (top().kind != Kind::dictionary) fail("attributes for what is no dictionary");
}

void Pickle::remember(std::uint64_t index) { memo_[index] = &top(); }

void Pickle::recall(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail("a value that was never remembered");
  stack_.push_back(found->second);
}

}  // namespace lockstep
