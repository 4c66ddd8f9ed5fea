#include "cli/memory_recall_output.h"

#include <iomanip>
#include <iostream>
#include <utility>

#include "cli/theory_output.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kShown = 20;  // cues in the table

template <class T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// The columns of -o as a table.
std::vector<std::string> columns(const RecallHead& head) {
  std::vector<std::string> names = {"cue",     "updates",         "stop",  "energy",
                                    "largest", "metastable_size", "regime"};
  if (head.judged) names.emplace_back("match");
  for (std::int64_t rank = 1; rank <= head.num_top; ++rank) {
    names.push_back("id_" + std::to_string(rank));
    names.push_back("weight_" + std::to_string(rank));
  }
  for (std::int64_t k = 1; k <= head.readout_depth; ++k) {
    names.push_back(head.what + "_" + std::to_string(k));
  }
  return names;
}

}  // namespace

void check_recall_output(const std::string& output, const std::string& json,
                         const std::vector<std::string>& inputs) {
  (void)answer_format(output);
  require(output != "-" || json != "-", "--output",
          "expected one of -o - and --json - at most, got both; give one of them a file");
  check_outputs({output, json}, inputs);
}

RecallOutput::RecallOutput(RecallHead head) : head_(std::move(head)) {
  output_ =
      std::make_unique<AnswerOutput<float>>(head_.output, head_.readout_depth, columns(head_));
  if (prints()) {
    std::cout << head_.text << "\n"
              << "   cue  updates  stop              energy  metastable size  regime          "
              << (head_.judged ? "match  " : "") << "associations\n";
  }
  if (head_.json_path.empty()) return;
  json_ = std::make_unique<LineOutput>(head_.json_path);
  std::string text = head_.json.dump(2);
  text.resize(text.size() - 2);  // the line end and the closing brace
  json_->write(text + ",\n  \"results\": [");
}

bool RecallOutput::wants_answers() const {
  return json_ != nullptr || output_->table() || output_->format() == AnswerFormat::kJsonLines ||
         (prints() && num_cues_ < kShown);
}

void RecallOutput::add(const std::vector<RecallAnswer>& answers, std::span<const float> readouts) {
  output_->numbers(readouts);
  const bool lines = output_->format() == AnswerFormat::kJsonLines;
  for (const RecallAnswer& answer : answers) {
    if (json_ != nullptr || lines) {
      const Json told = result(answer);
      output_->json(told);
      if (json_ != nullptr) json_->write((answer.cue == 0 ? "\n    " : ",\n    ") + told.dump());
    }
    if (output_->table()) output_->cells(cells(answer));
    if (prints() && answer.cue < kShown) print(answer);
  }
  num_cues_ += std::ssize(readouts) / head_.readout_depth;
}

void RecallOutput::finish(const Json& num_converged, const std::string& last_line) {
  output_->commit();
  if (json_ != nullptr) {
    json_->write((num_cues_ == 0 ? "],\n" : "\n  ],\n") +
                 ("  \"num_cues\": " + std::to_string(num_cues_) +
                  ",\n  \"num_converged\": " + num_converged.dump() + "\n}\n"));
    json_->commit();
  }
  if (prints() && num_cues_ > kShown) {
    std::cout << "   ... " << num_cues_ - kShown << " more; -o FILE or --json FILE has them all\n";
  }
  if (prints() && !last_line.empty()) std::cout << "\n" << last_line;
}

Json RecallOutput::result(const RecallAnswer& answer) const {
  Json json;
  json["cue"] = answer.cue;
  json["steps"] = answer.updates;
  json["stop"] = answer.stop;
  json["converged"] = json_or_null(answer.converged);
  json["energy"] = json_or_null(answer.energy);
  json["energy_cue"] = json_or_null(answer.energy_cue);
  json["lse"] = answer.lse;
  json["entropy"] = answer.entropy;
  json["metastable_size"] = json_or_null(answer.metastable_size);
  json["regime"] = answer.regime.empty() ? Json(nullptr) : Json(answer.regime);
  json["match_energy"] = json_or_null(answer.match_energy);
  json["match"] = json_or_null(answer.match);
  json["largest"] = answer.top.front().weight;
  Json top = Json::array();
  for (const RecallAnswer::Association& one : answer.top) {
    top.push_back({{"id", one.id}, {"index", one.index}, {"weight", one.weight}});
    if (one.metadata) top.back()["metadata"] = *one.metadata;
  }
  json["top"] = std::move(top);
  if (answer.codes) json["codes"] = *answer.codes;
  Json readout = Json::array();
  for (const float x : answer.readout) readout.push_back(short_number(x));
  json[head_.what] = std::move(readout);
  return json;
}

std::vector<std::string> RecallOutput::cells(const RecallAnswer& answer) const {
  std::vector<std::string> row = {csv_number(answer.cue),
                                  csv_number(answer.updates),
                                  std::string(answer.stop),
                                  answer.energy ? csv_number(*answer.energy) : "",
                                  csv_number(answer.top.front().weight),
                                  answer.metastable_size ? csv_number(*answer.metastable_size) : "",
                                  std::string(answer.regime)};
  if (head_.judged) row.emplace_back(*answer.match ? "yes" : "no");
  for (const RecallAnswer::Association& one : answer.top) {
    row.push_back(csv_cell(one.id));
    row.push_back(csv_number(one.weight));
  }
  for (const float x : answer.readout) row.push_back(csv_number(short_number(x)));
  return row;
}

void RecallOutput::print(const RecallAnswer& answer) const {
  std::cout << std::setprecision(4) << std::setw(6) << answer.cue << std::setw(9) << answer.updates
            << "  " << std::left << std::setw(11) << answer.stop << std::right << std::setw(13);
  if (answer.energy) {
    std::cout << *answer.energy;
  } else {
    std::cout << "-";
  }
  std::cout << std::setw(17);
  if (answer.metastable_size) {
    std::cout << *answer.metastable_size;
  } else {
    std::cout << "-";
  }
  std::cout << "  " << std::left << std::setw(14) << (answer.regime.empty() ? "-" : answer.regime)
            << "  ";
  if (head_.judged) std::cout << std::setw(7) << (*answer.match ? "yes" : "no");
  std::cout << std::right;
  for (std::size_t j = 0; j < answer.top.size(); ++j) {
    std::cout << (j > 0 ? ", " : "") << answer.top[j].id << " " << answer.top[j].weight;
  }
  std::cout << "\n";
}

}  // namespace hopfield::cli
