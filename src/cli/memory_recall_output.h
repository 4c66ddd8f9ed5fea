#ifndef HOPFIELD_SRC_CLI_MEMORY_RECALL_OUTPUT_H_
#define HOPFIELD_SRC_CLI_MEMORY_RECALL_OUTPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/memory_answers.h"

// How recalls are told, whoever made them.
namespace hopfield::cli {

/// What a recall told about one cue; "no value" where that cannot be told or was not asked.
struct RecallAnswer {
  struct Association {
    std::string id;
    std::int64_t index = 0;
    double weight = 0;
    std::optional<Json> metadata;
  };
  std::int64_t cue = 0, updates = 0;
  std::string_view stop;
  std::optional<bool> converged;
  std::optional<double> energy, energy_cue;
  double lse = 0, entropy = 0;
  std::optional<std::int64_t> metastable_size;
  std::string_view regime;  ///< empty: no value
  std::optional<double> match_energy;
  std::optional<bool> match;
  std::vector<Association> top;    ///< descending, not empty
  std::optional<Json> codes;       ///< of a memory of int8 codes: the bounds
  std::span<const float> readout;  ///< the state or the values
};

/// What is told before the first cue, and where everything goes.
struct RecallHead {
  Json json;
  std::string text;  ///< for people
  std::string what;  ///< of the readout: "state" or "values"
  std::int64_t readout_depth = 0, num_top = 0;
  bool judged = false;            ///< each cue has a match
  std::string output, json_path;  ///< empty: not wanted
};

/// Throws for -o and --json that cannot be written, or not both.
void check_recall_output(const std::string& output, const std::string& json,
                         const std::vector<std::string>& inputs);

/// Writes answers as they come: a table for people, JSON, and -o by the ending of its name.
class RecallOutput {
 public:
  explicit RecallOutput(RecallHead head);

  /// Whether somebody reads the answers to the next cues; else their readouts are enough.
  bool wants_answers() const;

  /// The next cues, in order, and the readouts of all of them.
  void add(const std::vector<RecallAnswer>& answers, std::span<const float> readouts);

  /// `num_converged` as in JSON: null unless asked to converge. `last_line` ends the table.
  void finish(const Json& num_converged, const std::string& last_line = "");

 private:
  bool prints() const { return head_.output != "-" && head_.json_path != "-"; }
  Json result(const RecallAnswer& answer) const;
  std::vector<std::string> cells(const RecallAnswer& answer) const;
  void print(const RecallAnswer& answer) const;

  RecallHead head_;
  std::unique_ptr<AnswerOutput<float>> output_;
  std::unique_ptr<LineOutput> json_;
  std::int64_t num_cues_ = 0;
};

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_RECALL_OUTPUT_H_
