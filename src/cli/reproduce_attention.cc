// Section of `reproduce theory` about one layer as four classifiers.
#include "cli/reproduce_sections.h"
#include "hopfield/base/error.h"

namespace hopfield::cli {

/// Says why where the data is not there.
Studies reproduce_attention(const ReproduceSettings& settings, const Context& context) {
  AttentionArguments a;
  a.data = settings.data;
  try {
    return {{"attention", study_attention(a, context)}};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) throw;
    Findings skipped;
    skipped.title = "One layer, four classifiers";
    skipped.notes = {std::string("skipped: ") + error.what()};
    skipped.json = {{"skipped", error.what()}};
    return {{"attention", skipped}};
  }
}

}  // namespace hopfield::cli
