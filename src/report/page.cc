#include "hopfield/report/page.h"

#include <string>
#include <string_view>
#include <utility>

#include "hopfield/base/os.h"
#include "hopfield/report/format.h"
#include "report/style.h"

namespace hopfield::report {
namespace {

/// Escaped text in which what stands between two backticks is code.
std::string inline_html(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t open = text.find('`');
    const std::size_t close = open == text.npos ? text.npos : text.find('`', open + 1);
    if (close == text.npos) return out + escape(text);
    out += escape(text.substr(0, open));
    out += "<code>" + escape(text.substr(open + 1, close - open - 1)) + "</code>";
    text.remove_prefix(close + 1);
  }
}

}  // namespace

Page::Page(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

Page& Page::section(std::string title) {
  end_row();
  if (in_section_) body_ += "</section>\n";
  in_section_ = true;
  sections_.push_back(std::move(title));
  const std::string id = "s" + std::to_string(sections_.size());
  body_ += "<section aria-labelledby=\"" + id + "\">\n<h2 id=\"" + id + "\">" +
           inline_html(sections_.back()) + "</h2>\n";
  return *this;
}

Page& Page::heading(const std::string& title) {
  end_row();
  body_ += "<h3>" + inline_html(title) + "</h3>\n";
  return *this;
}

Page& Page::paragraph(const std::string& text) {
  body_ += "<p>" + inline_html(text) + "</p>\n";
  return *this;
}

Page& Page::list(const std::vector<std::string>& items) {
  body_ += "<ul>\n";
  for (const std::string& item : items) body_ += "<li>" + inline_html(item) + "</li>\n";
  body_ += "</ul>\n";
  return *this;
}

Page& Page::note(const std::string& text, NoteKind kind) {
  body_ +=
      kind == NoteKind::kWarning ? "<div class=\"hf-note hf-warning\">" : "<div class=\"hf-note\">";
  body_ += inline_html(text) + "</div>\n";
  return *this;
}

Page& Page::tiles(const std::vector<Tile>& tiles) {
  body_ += "<div class=\"hf-tiles\">\n";
  for (const Tile& tile : tiles) {
    body_ += "<div class=\"hf-tile\"><b>" + escape(tile.value) + "</b><span>" +
             inline_html(tile.label) + "</span>";
    if (!tile.detail.empty()) body_ += "<small>" + inline_html(tile.detail) + "</small>";
    body_ += "</div>\n";
  }
  body_ += "</div>\n";
  return *this;
}

Page& Page::figure(const std::string& inner, const std::string& caption, const char* kind) {
  int& number = std::string_view(kind) == "Table" ? num_tables_ : num_figures_;
  ++number;
  body_ += "<figure>\n" + inner;
  if (!caption.empty()) {
    body_ += "<figcaption><b>" + std::string(kind) + " " + std::to_string(number) + ".</b> " +
             inline_html(caption) + "</figcaption>\n";
  }
  body_ += "</figure>\n";
  return *this;
}

Page& Page::table(const Table& table, const std::string& caption) {
  return figure("<div class=\"hf-scroll\">" + table.html() + "</div>\n", caption, "Table");
}

Page& Page::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : facts) {
    body_ += "<dt>" + inline_html(name) + "</dt><dd>" + inline_html(value) + "</dd>\n";
  }
  body_ += "</dl>\n";
  return *this;
}

Page& Page::plot(const Plot& plot, const std::string& caption) {
  return figure(svg(plot), caption, "Figure");
}

Page& Page::plot(const BarPlot& plot, const std::string& caption) {
  return figure(svg(plot), caption, "Figure");
}

Page& Page::pictures(const PictureGrid& grid, const std::string& caption) {
  return figure(report::html(grid), caption, "Figure");
}

Page& Page::begin_row() {
  if (!in_row_) body_ += "<div class=\"hf-row\">\n";
  in_row_ = true;
  return *this;
}

Page& Page::end_row() {
  end_stack();
  if (in_row_) body_ += "</div>\n";
  in_row_ = false;
  return *this;
}

Page& Page::begin_stack() {
  if (!in_stack_) body_ += "<div class=\"hf-stack\">\n";
  in_stack_ = true;
  return *this;
}

Page& Page::end_stack() {
  if (in_stack_) body_ += "</div>\n";
  in_stack_ = false;
  return *this;
}

Page& Page::code(const std::string& text) {
  body_ += "<pre>" + escape(text) + "</pre>\n";
  return *this;
}

Page& Page::footer(const std::string& text) {
  footer_ += "<p>" + inline_html(text) + "</p>\n";
  return *this;
}

std::string Page::html() const {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>" +
      escape(title_) + "</title>\n<style>";
  out += internal::colours_css();
  out += internal::drawing_css();
  out += internal::page_css();
  out += "</style>\n</head>\n<body>\n<div class=\"hf-page\">\n<header>\n<h1>" +
         inline_html(title_) + "</h1>\n";
  if (!subtitle_.empty()) out += "<p class=\"hf-subtitle\">" + inline_html(subtitle_) + "</p>\n";
  if (sections_.size() > 1) {
    out += "<nav aria-label=\"Sections\">\n";
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      out += "<a href=\"#s" + std::to_string(i + 1) + "\">" + inline_html(sections_[i]) + "</a>\n";
    }
    out += "</nav>\n";
  }
  out += "</header>\n<main>\n" + body_;
  if (in_stack_) out += "</div>\n";
  if (in_row_) out += "</div>\n";
  if (in_section_) out += "</section>\n";
  out += "</main>\n";
  if (!footer_.empty()) out += "<footer>\n" + footer_ + "</footer>\n";
  out += "</div>\n</body>\n</html>\n";
  return out;
}

void Page::write(const std::filesystem::path& path) const {
  atomic_write_file(path.string(), html());
}

}  // namespace hopfield::report
