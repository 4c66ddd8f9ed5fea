#include "hopfield/store/predicate.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::store {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kOp = "predicate";
constexpr int kDeepest = 100;

enum class Kind : std::uint8_t {
  kAnd,
  kOr,
  kNot,
  kHas,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

/// -1, 0 or 1 for two numbers or two texts; 2 for what has no order.
int compare(const Json& a, const Json& b) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.is_string() && b.is_string()) {
    return order(a.get_ref<const std::string&>(), b.get_ref<const std::string&>());
  }
  if (!a.is_number() || !b.is_number()) return 2;
  if (a.is_number_float() || b.is_number_float()) return order(a.get<double>(), b.get<double>());
  // Whole numbers, which the parser keeps with or without sign.
  const auto negative = [](const Json& x) {
    return !x.is_number_unsigned() && x.get<std::int64_t>() < 0;
  };
  if (negative(a) != negative(b)) return negative(a) ? -1 : 1;
  if (negative(a)) return order(a.get<std::int64_t>(), b.get<std::int64_t>());
  return order(a.get<std::uint64_t>(), b.get<std::uint64_t>());
}

bool equal(const Json& value, const Json& literal) {
  const int order = compare(value, literal);
  return order == 2 ? value.type() == literal.type() && value == literal : order == 0;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

}  // namespace

struct Predicate::Node {
  Kind kind = Kind::kHas;
  std::vector<std::string> key;
  std::vector<Json> literals;
  std::vector<std::unique_ptr<Node>> parts;  // of and, or, not

  const Json* find(const Json& metadata) const {
    const Json* at = &metadata;
    for (const std::string& name : key) {
      if (!at->is_object()) return nullptr;
      const auto member = at->find(name);
      if (member == at->end()) return nullptr;
      at = &*member;
    }
    return at;
  }

  bool matches(const Json& metadata) const {
    const auto part_matches = [&](const auto& part) { return part->matches(metadata); };
    if (kind == Kind::kAnd) return std::all_of(parts.begin(), parts.end(), part_matches);
    if (kind == Kind::kOr) return std::any_of(parts.begin(), parts.end(), part_matches);
    if (kind == Kind::kNot) return !part_matches(parts.front());
    const Json* value = find(metadata);
    if (value == nullptr) return false;
    return kind == Kind::kHas || compares(*value);
  }

  bool compares(const Json& value) const {
    const auto equals = [&value](const Json& literal) { return equal(value, literal); };
    if (kind == Kind::kEqual || kind == Kind::kIn) {
      return std::any_of(literals.begin(), literals.end(), equals);
    }
    if (kind == Kind::kNotEqual || kind == Kind::kNotIn) {
      return std::none_of(literals.begin(), literals.end(), equals);
    }
    const int order = compare(value, literals.front());
    if (order == 2) return false;
    switch (kind) {
      case Kind::kLess:
        return order < 0;
      case Kind::kLessEqual:
        return order <= 0;
      case Kind::kGreater:
        return order > 0;
      default:
        return order >= 0;
    }
  }
};

/// One function a rule of the grammar in the header.
class Predicate::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::unique_ptr<Node> whole() {
    std::unique_ptr<Node> node = any_of(0);
    if (!at_end()) expected("'and', 'or' or the end");
    return node;
  }

 private:
  using NodePointer = std::unique_ptr<Node>;

  NodePointer any_of(int depth) {
    return list(Kind::kOr, "or", [&] { return all_of(depth); });
  }

  NodePointer all_of(int depth) {
    return list(Kind::kAnd, "and", [&] { return factor(depth); });
  }

  template <class Part>
  NodePointer list(Kind kind, std::string_view word, const Part& part) {
    NodePointer first = part();
    if (!take_word(word)) return first;
    NodePointer node = make(kind);
    node->parts.push_back(std::move(first));
    do {
      node->parts.push_back(part());
    } while (take_word(word));
    return node;
  }

  NodePointer factor(int depth) {
    if (depth > kDeepest) {
      expected("a condition nested at most " + std::to_string(kDeepest) + " deep");
    }
    if (take_word("not")) {
      NodePointer node = make(Kind::kNot);
      node->parts.push_back(factor(depth + 1));
      return node;
    }
    if (take("(")) {
      NodePointer node = any_of(depth + 1);
      if (!take(")")) expected("'and', 'or' or ')'");
      return node;
    }
    const std::size_t start = at_;
    if (take_word("has") && take("(")) {
      NodePointer node = make(Kind::kHas);
      node->key = key();
      if (!take(")")) expected("')'");
      return node;
    }
    at_ = start;  // a key that is called "has"
    return comparison();
  }

  NodePointer comparison() {
    std::vector<std::string> path = key();
    NodePointer node = make(Kind::kIn);
    node->key = std::move(path);
    const bool negated = take_word("not");
    if (take_word("in")) {
      node->kind = negated ? Kind::kNotIn : Kind::kIn;
      if (!take("[")) expected("'['");
      do {
        node->literals.push_back(literal());
      } while (take(","));
      if (!take("]")) expected("',' or ']'");
      return node;
    }
    if (negated) expected("'in'");
    constexpr std::pair<std::string_view, Kind> kSigns[] = {
        {"==", Kind::kEqual},        {"!=", Kind::kNotEqual}, {"<=", Kind::kLessEqual},
        {">=", Kind::kGreaterEqual}, {"<", Kind::kLess},      {">", Kind::kGreater}};
    for (const auto& [sign, kind] : kSigns) {
      if (!take(sign)) continue;
      node->kind = kind;
      node->literals.push_back(literal());
      return node;
    }
    expected("==, !=, <, <=, >, >= or in");
  }

  std::vector<std::string> key() {
    std::vector<std::string> names;
    do {
      skip_blanks();
      if (at_ < text_.size() && text_[at_] == '"') {
        names.push_back(quoted().get<std::string>());
        continue;
      }
      const std::size_t start = at_;
      while (at_ < text_.size() && is_name(text_[at_])) ++at_;
      if (at_ == start) expected("a key");
      names.emplace_back(text_.substr(start, at_ - start));
    } while (take("."));
    return names;
  }

  Json literal() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    const std::size_t start = at_;
    while (at_ < text_.size() && (is_name(text_[at_]) || text_[at_] == '+' || text_[at_] == '.')) {
      ++at_;
    }
    Json value = Json::parse(text_.substr(start, at_ - start), nullptr, false);
    if (value.is_discarded()) {
      at_ = start;
      expected("a number, \"text\", true, false or null");
    }
    return value;
  }

  Json quoted() {
    const std::size_t start = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2u : 1u;
    at_ = std::min(at_ + 1, text_.size());
    Json value = Json::parse(text_.substr(start, at_ - start), nullptr, false);
    if (!value.is_string()) {
      at_ = start;
      expected("text in quotes as in JSON");
    }
    return value;
  }

  static NodePointer make(Kind kind) {
    NodePointer node = std::make_unique<Node>();
    node->kind = kind;
    return node;
  }

  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }

  bool take(std::string_view sign) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  bool take_word(std::string_view word) {
    skip_blanks();
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && (is_name(rest[word.size()]) || rest[word.size()] == '.')) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  [[noreturn]] void expected(const std::string& what) {
    constexpr std::size_t kShown = 20;
    const std::string got =
        at_end() ? "the end" : "'" + std::string(text_.substr(at_, kShown)) + "'";
    fail(ErrorCode::kInvalidArgument, kOp,
         "character " + std::to_string(at_ + 1) + ": expected " + what + ", got " + got);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Predicate::Predicate(std::string_view text) : root_(Parser(text).whole()) {}
Predicate::Predicate(Predicate&&) noexcept = default;
Predicate& Predicate::operator=(Predicate&&) noexcept = default;
Predicate::~Predicate() = default;

bool Predicate::matches(std::string_view metadata) const {
  const Json json = Json::parse(metadata, nullptr, false);
  if (!json.is_object()) {
    fail(ErrorCode::kCorruptData, kOp, "expected metadata that is a JSON object, got another text");
  }
  return root_->matches(json);
}

std::vector<std::int64_t> matching_patterns(const MemoryFile& memory, const Predicate& predicate) {
  require(memory.has_metadata(), kOp,
          "expected a memory with metadata, got '" + memory.path() +
              "', which has none; attach some with hopfield memory update --metadata");
  std::vector<std::int64_t> matching;
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    try {
      if (predicate.matches(memory.metadata(i))) matching.push_back(i);
    } catch (const Error& error) {
      fail(error.code(), kOp,
           "'" + memory.path() + "', pattern '" + memory.id(i) +
               "': expected a JSON object as metadata, got another text; the file is damaged");
    }
  }
  return matching;
}

}  // namespace hopfield::store
