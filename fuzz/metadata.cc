// A predicate in the first line, metadata in the others: whatever passes the check of a memory must
// be metadata that any predicate can ask.
#include <algorithm>
#include <optional>
#include <string_view>

#include "fuzz/target.h"
#include "hopfield/store/predicate.h"
#include "store/memory_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::store::Predicate;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto next_line = [&text] {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  const Predicate everything("has(a) or not has(a)");
  const std::string_view first = next_line();
  std::optional<Predicate> predicate;
  hopfield::fuzz::tolerate_errors([&] { predicate.emplace(first); });
  while (!text.empty()) {
    const std::string_view line = next_line();
    if (!hopfield::store::internal::metadata_flaw(line).empty()) continue;
    HOPFIELD_CHECK(everything.matches(line));
    if (predicate) (void)predicate->matches(line);
  }
  return 0;
}
