#ifndef HOPFIELD_STORE_PREDICATE_H_
#define HOPFIELD_STORE_PREDICATE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace hopfield::store {

class MemoryFile;

/// A condition on metadata, such as  label == "cat" and (year < 2020 or not has(source.file)).
///
///   condition   one of: condition or condition; condition and condition (binds closer); not
///               condition; (condition); has(key); key comparison
///   comparison  one of ==, !=, <, <=, >, >= and a literal; in or not in and [literal, ...]
///   key         names joined by dots, each a member of the object before: letters, digits, _ and
///   -,
///               or any text as a JSON string
///   literal     a JSON number, a JSON string, true, false or null
///
/// A comparison is false if the key is not there, whatever the operator (so `not year < 2020` holds
/// without a year, `year >= 2020` does not). Numbers compare with numbers by value, text with text
/// byte by byte; other pairs are neither less nor greater, and equal only if they are the same
/// literal. has(key) is true for null, too.
///
/// Errors   kInvalidArgument that counts characters (bytes) from 1. Time and memory stay
///          proportional to the text; nesting deeper than 100 is an error.
/// Threads  const after construction.
class Predicate {
 public:
  explicit Predicate(std::string_view text);
  Predicate(Predicate&&) noexcept;
  Predicate& operator=(Predicate&&) noexcept;
  ~Predicate();

  /// Errors: kCorruptData if `metadata` is no JSON object.
  bool matches(std::string_view metadata) const;

 private:
  struct Node;
  class Parser;
  std::unique_ptr<Node> root_;
};

/// The patterns whose metadata match, ascending. Errors: kInvalidArgument if the memory has no
/// metadata; kCorruptData naming a pattern whose metadata is damaged.
std::vector<std::int64_t> matching_patterns(const MemoryFile& memory, const Predicate& predicate);

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_PREDICATE_H_
