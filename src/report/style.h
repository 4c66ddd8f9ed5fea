#ifndef HOPFIELD_REPORT_STYLE_H_
#define HOPFIELD_REPORT_STYLE_H_

#include <string>
#include <string_view>

namespace hopfield::report::internal {

/// Colours, light and dark, as custom properties of :root.
std::string_view colours_css();
/// Rules for the classes that drawings use; they need the colours.
std::string_view drawing_css();
/// Everything else of a page.
std::string_view page_css();

/// A drawing as a document of its own: with colours and rules inside.
std::string with_style(const std::string& svg);

}  // namespace hopfield::report::internal

#endif  // HOPFIELD_REPORT_STYLE_H_
