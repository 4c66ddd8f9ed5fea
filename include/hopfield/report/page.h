#ifndef HOPFIELD_REPORT_PAGE_H_
#define HOPFIELD_REPORT_PAGE_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/report/picture.h"
#include "hopfield/report/plot.h"
#include "hopfield/report/table.h"

namespace hopfield::report {

enum class NoteKind : unsigned char { kInfo, kWarning };

/// A headline number: "0.947", "mean AUC of ten folds".
struct Tile {
  std::string value;
  std::string label;
  std::string detail = {};
};

/// A report in one HTML file: nothing loaded from elsewhere, no scripts; follows the reader's
/// choice of light or dark; reads on a phone and on paper.
///
/// All text is plain text and is escaped; a piece `between backticks` is set as code. Parts appear
/// in the order of the calls. Same calls, same bytes: no clock, no random numbers. Errors: what a
/// part refuses (see plot.h, picture.h) is thrown by the call that adds it. Threads: one page
/// belongs to one thread.
class Page {
 public:
  explicit Page(std::string title, std::string subtitle = {});

  /// Starts a section; with two or more, the page begins with a list of them.
  Page& section(std::string title);
  /// Within a section: the title of what follows.
  Page& heading(const std::string& title);
  Page& paragraph(const std::string& text);
  Page& list(const std::vector<std::string>& items);
  Page& note(const std::string& text, NoteKind kind = NoteKind::kInfo);
  Page& tiles(const std::vector<Tile>& tiles);
  Page& table(const Table& table, const std::string& caption = {});
  /// Names and values: settings, versions, seeds.
  Page& facts(const std::vector<std::pair<std::string, std::string>>& facts);
  Page& plot(const Plot& plot, const std::string& caption = {});
  Page& plot(const BarPlot& plot, const std::string& caption = {});
  Page& pictures(const PictureGrid& grid, const std::string& caption = {});
  /// Figures added until end_row() stand side by side where there is room.
  Page& begin_row();
  Page& end_row();
  /// Within a row: what is added until end_stack() stands in one place of the row, one below
  /// another.
  Page& begin_stack();
  Page& end_stack();
  /// Commands or output, as typed.
  Page& code(const std::string& text);
  Page& footer(const std::string& text);

  /// The whole document.
  std::string html() const;
  /// Writes it; `path` holds the old file or the whole new one, never a part. Errors: kIo.
  void write(const std::filesystem::path& path) const;

 private:
  Page& figure(const std::string& inner, const std::string& caption, const char* kind);

  std::string title_, subtitle_, body_, footer_;
  std::vector<std::string> sections_;
  bool in_section_ = false, in_row_ = false, in_stack_ = false;
  int num_figures_ = 0, num_tables_ = 0;
};

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_PAGE_H_
