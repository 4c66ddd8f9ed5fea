#ifndef HOPFIELD_BASE_TEXT_H_
#define HOPFIELD_BASE_TEXT_H_

#include <span>
#include <string>
#include <string_view>

namespace hopfield {

/// Fewest insertions, deletions, substitutions and swaps of neighbours that turn a into b (case
/// ignored). Source: the optimal string alignment distance.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate that was probably meant by a mistyped `name`; empty if none is near.
std::string closest_name(std::string_view name, std::span<const std::string> candidates);

/// Whether all bytes are well-formed UTF-8: no overlong forms, surrogates or code points beyond the
/// last one.
bool is_utf8(std::string_view text);

}  // namespace hopfield

#endif  // HOPFIELD_BASE_TEXT_H_
