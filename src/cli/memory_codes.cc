#include "cli/memory_codes.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace hopfield::cli {

ExactRows exact_rows(const store::MemoryFile& memory) {
  if (!memory.exact_dtype()) return {};
  return store::pattern_source(memory).rows;
}

nlohmann::ordered_json codes_json(const RerankReport& report, std::size_t state) {
  const auto bound = [state](const std::vector<double>& bounds) {
    return std::isfinite(bounds[state]) ? nlohmann::ordered_json(bounds[state])
                                        : nlohmann::ordered_json(nullptr);
  };
  return {{"num_exact", report.num_candidates[state]},
          {"score_bound", bound(report.score_bound)},
          {"weight_bound", bound(report.weight_bound)},
          {"state_bound", bound(report.state_bound)},
          {"top_certain", report.top_certain[state] != 0}};
}

void CodesSummary::add(const RerankReport& report) {
  for (std::size_t t = 0; t < report.score_bound.size(); ++t) {
    score_bound_ = std::max(score_bound_, report.score_bound[t]);
    weight_bound_ = std::max(weight_bound_, report.weight_bound[t]);
    num_certain_ += report.top_certain[t];
  }
  num_states_ += std::ssize(report.score_bound);
}

std::string CodesSummary::line() const {
  std::ostringstream text;
  text.precision(3);
  text << "codes    ";
  if (std::isfinite(score_bound_)) {
    text << "scores within " << score_bound_ << ", weights within " << weight_bound_;
  } else {
    text << "no bound for this similarity";
  }
  text << "; the top is certain for " << num_certain_ << " of " << num_states_ << " cues\n";
  return text.str();
}

}  // namespace hopfield::cli
