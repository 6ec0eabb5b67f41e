#include "lockstep/core/json_text.hpp"

#include <algorithm>

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

void append(std::string& text, const Json& json, std::size_t indent);

/// The elements between two brackets, each in a line of its own.
template <typename Visit>
void append_lines(std::string& text, const Json& json, std::size_t indent, char open, char close, const Visit& visit) {
  text += open;
  bool first = true;
  for (auto element = json.begin(); element != json.end(); ++element) {
    text += first ? "\n" : ",\n";
    first = false;
    text.append(indent + 2, ' ');
    visit(element);
  }
  text += '\n';
  text.append(indent, ' ') += close;
}

void append(std::string& text, const Json& json, std::size_t indent) {
  if (json.empty() || json.is_primitive()) {
    text += json.dump();
  } else if (json.is_object()) {
    append_lines(text, json, indent, '{', '}', [&](const auto& element) {
      text += Json(element.key()).dump() + ": ";
      append(text, element.value(), indent + 2);
    });
  } else if (std::ranges::all_of(json, [](const Json& element) { return element.is_primitive(); })) {
    text += '[';
    for (std::size_t i = 0; i < json.size(); ++i) text += (i == 0 ? "" : ", ") + json[i].dump();
    text += ']';
  } else {
    append_lines(text, json, indent, '[', ']', [&](const auto& element) { append(text, *element, indent + 2); });
  }
}

}  // namespace

std::string json_text(const Json& json) {
  std::string text;
  append(text, json, 0);
  return text;
}

}  // namespace lockstep
