#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "store/memory_format.h"

namespace hopfield::store::internal {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

std::string metadata_flaw(std::string_view text) {
  constexpr int kDeepest = 100;
  if (has_control(text)) {
    return "expected JSON in one line without control characters, got one";
  }
  using Json = nlohmann::json;
  if (!Json::accept(text)) {
    try {
      [[maybe_unused]] const Json parsed = Json::parse(text);
    } catch (const Json::parse_error& error) {
      return "expected a JSON object, got an error at byte " + std::to_string(error.byte);
    } catch (const Json::exception&) {  // a number beyond the range of double
    }
    return "expected a JSON object, got a number out of range";
  }
  const std::size_t start = text.find_first_not_of(' ');
  if (text[start] != '{') {
    return "expected a JSON object, got '" + std::string(text.substr(start, 20)) + "'";
  }
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = start; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (text[i] == '{' || text[i] == '[')) {
      if (++depth > kDeepest) {
        return "expected JSON nested at most " + std::to_string(kDeepest) + " deep, got more";
      }
    } else if (!quoted && (text[i] == '}' || text[i] == ']')) {
      --depth;
    }
  }
  return "";
}

}  // namespace hopfield::store::internal
