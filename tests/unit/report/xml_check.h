#ifndef HOPFIELD_TESTS_UNIT_REPORT_XML_CHECK_H_
#define HOPFIELD_TESTS_UNIT_REPORT_XML_CHECK_H_

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hopfield::report {

/// A reader of just enough XML to say whether a text is well-formed: tags nest, attributes are
/// quoted and not repeated, '<' and '&' appear in no text, references are known ones. Raw <style>
/// content is read as text like all else. Also collects all text outside tags, with references
/// kept.
class XmlCheck {
 public:
  explicit XmlCheck(std::string_view xml) : left_(xml) {
    while (fault_.empty() && !left_.empty()) {
      left_.starts_with("<") ? tag() : text();
    }
    if (fault_.empty() && !open_.empty()) fault_ = "not closed: " + open_.back();
  }

  /// Empty if well-formed.
  const std::string& fault() const { return fault_; }
  const std::string& all_text() const { return text_; }
  std::size_t count(std::string_view element) const {
    return static_cast<std::size_t>(std::count(elements_.begin(), elements_.end(), element));
  }

 private:
  void references(std::string_view piece) {
    for (std::size_t at = piece.find('&'); at != piece.npos; at = piece.find('&', at + 1)) {
      const auto known = [&](std::string_view r) { return piece.substr(at).starts_with(r); };
      if (!known("&amp;") && !known("&lt;") && !known("&gt;") && !known("&quot;") &&
          !known("&#39;")) {
        fault_ = "unknown reference: " + std::string(piece.substr(at, 12));
      }
    }
  }

  void text() {
    const std::string_view piece = left_.substr(0, left_.find('<'));
    references(piece);
    text_ += piece;
    left_.remove_prefix(piece.size());
  }

  static bool name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == ':' || c == '_';
  }
  std::string name() {
    std::size_t n = 0;
    while (n < left_.size() && name_char(left_[n])) ++n;
    const std::string result(left_.substr(0, n));
    left_.remove_prefix(n);
    return result;
  }
  void blanks() {
    while (!left_.empty() && std::isspace(static_cast<unsigned char>(left_[0])))
      left_.remove_prefix(1);
  }

  void tag() {
    if (left_.starts_with("<!DOCTYPE html>")) {
      left_.remove_prefix(15);
      return;
    }
    left_.remove_prefix(1);
    const bool closing = left_.starts_with("/");
    if (closing) left_.remove_prefix(1);
    const std::string element = name();
    if (element.empty()) fault_ = "no name: " + std::string(left_.substr(0, 20));
    std::vector<std::string> seen;
    for (blanks(); fault_.empty() && !left_.empty() && left_[0] != '>' && left_[0] != '/';
         blanks()) {
      attribute(seen);
    }
    const bool single = left_.starts_with("/");
    if (single) left_.remove_prefix(1);
    if (fault_.empty() && !left_.starts_with(">")) fault_ = "tag not finished: " + element;
    if (!fault_.empty()) return;
    left_.remove_prefix(1);
    if (closing) {
      if (open_.empty() || open_.back() != element) {
        fault_ = "closes " + element + " within " + (open_.empty() ? "nothing" : open_.back());
        return;
      }
      open_.pop_back();
    } else {
      elements_.push_back(element);
      if (!single) open_.push_back(element);
    }
  }

  void attribute(std::vector<std::string>& seen) {
    const std::string key = name();
    if (key.empty() || !left_.starts_with("=\"")) {
      fault_ = "attribute: " + key + std::string(left_.substr(0, 20));
      return;
    }
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      fault_ = "repeated attribute " + key;
    seen.push_back(key);
    left_.remove_prefix(2);
    const std::size_t end = left_.find('"');
    const std::string_view value = left_.substr(0, end);
    if (end == left_.npos || value.find('<') != value.npos) fault_ = "value of " + key;
    references(value);
    left_.remove_prefix(std::min(left_.size(), value.size() + 1));
  }

  std::string_view left_;
  std::string fault_, text_;
  std::vector<std::string> open_, elements_;
};

}  // namespace hopfield::report

#endif  // HOPFIELD_TESTS_UNIT_REPORT_XML_CHECK_H_
