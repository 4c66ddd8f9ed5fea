#include "hopfield/apps/mil/tables.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::mil {
namespace {

using Json = nlohmann::ordered_json;

/// Shortest text that reads back as the same number.
std::string exact(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc() ? std::string(buffer.data(), end) : "nan";
}

/// A CSV cell, quoted where RFC 4180 wants it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos && !text.starts_with(' ') &&
      !text.ends_with(' ')) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

void add_line(std::string& out, const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out += ',';
    out += cells[i];
  }
  out += '\n';
}

double probability(double score) {
  return 1 / (1 + std::exp(-score));
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Calls visit(rank from 0, instance of the bag, instance of all) for the instances to show.
template <class Visit>
void visit_top(const Bags& bags, std::size_t bag, const BagExplanation& explanation,
               std::int64_t top, const Visit& visit) {
  for (std::size_t rank = 0; rank < explanation.order.size(); ++rank) {
    if (top > 0 && rank >= static_cast<std::size_t>(top)) return;
    const auto i = static_cast<std::size_t>(explanation.order[rank]);
    visit(rank, i, static_cast<std::size_t>(bags.offsets[bag]) + i);
  }
}

}  // namespace

std::string predictions_csv(const Bags& bags, std::span<const double> scores) {
  std::string out;
  std::vector<std::string> cells = {"bag_id", "score", "probability", "predicted"};
  if (!bags.labels.empty()) cells.emplace_back("label");
  add_line(out, cells);
  for (std::size_t b = 0; b < scores.size(); ++b) {
    cells = {cell(bags.bag_ids[b]), exact(scores[b]), exact(probability(scores[b])),
             scores[b] > 0 ? "1" : "0"};
    if (!bags.labels.empty()) cells.push_back(std::to_string(bags.labels[b]));
    add_line(out, cells);
  }
  return out;
}

std::string predictions_json(const Bags& bags, std::span<const double> scores) {
  Json rows = Json::array();
  for (std::size_t b = 0; b < scores.size(); ++b) {
    Json row = {{"bag_id", bags.bag_ids[b]},
                {"score", scores[b]},
                {"probability", probability(scores[b])},
                {"predicted", scores[b] > 0 ? 1 : 0}};
    if (!bags.labels.empty()) row["label"] = bags.labels[b];
    rows.push_back(std::move(row));
  }
  return dump({{"data", bags.origin}, {"bags", std::move(rows)}});
}

std::string explanations_csv(const Bags& bags, std::span<const BagExplanation> explanations,
                             const std::vector<std::string>& weight_names, std::int64_t top) {
  const bool effects = !explanations.empty() && !explanations.front().effect.empty();
  std::string out;
  std::vector<std::string> cells = {"bag_id", "instance_id", "rank", "weight", "alone"};
  if (effects) cells.emplace_back("effect");
  for (const std::string& name : weight_names) cells.push_back("weight_" + name);
  add_line(out, cells);
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    visit_top(bags, b, explanation, top, [&](std::size_t rank, std::size_t i, std::size_t row) {
      cells = {cell(bags.bag_ids[b]), cell(bags.instance_ids[row]), std::to_string(rank + 1),
               exact(explanation.mean_weight[i]), exact(explanation.alone[i])};
      if (effects) cells.push_back(exact(explanation.effect[i]));
      for (std::size_t w = 0; w < weight_names.size(); ++w) {
        cells.push_back(exact(explanation.weights[i * weight_names.size() + w]));
      }
      add_line(out, cells);
    });
  }
  return out;
}

std::string explanations_json(const Bags& bags, std::span<const BagExplanation> explanations,
                              const std::vector<std::string>& weight_names, std::int64_t top) {
  Json rows = Json::array();
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    Json instances = Json::array();
    visit_top(bags, b, explanation, top, [&](std::size_t rank, std::size_t i, std::size_t row) {
      Json weights = Json::object();
      for (std::size_t w = 0; w < weight_names.size(); ++w) {
        weights[weight_names[w]] = explanation.weights[i * weight_names.size() + w];
      }
      Json instance = {{"instance_id", bags.instance_ids[row]},
                       {"rank", rank + 1},
                       {"weight", explanation.mean_weight[i]},
                       {"alone", explanation.alone[i]}};
      if (!explanation.effect.empty()) instance["effect"] = explanation.effect[i];
      instance["weights"] = std::move(weights);
      instances.push_back(std::move(instance));
    });
    Json bag = {{"bag_id", bags.bag_ids[b]},
                {"score", explanation.score},
                {"probability", probability(explanation.score)}};
    if (!bags.labels.empty()) bag["label"] = bags.labels[b];
    bag["num_instances"] = explanation.order.size();
    bag["instances"] = std::move(instances);
    rows.push_back(std::move(bag));
  }
  return dump({{"data", bags.origin}, {"bags", std::move(rows)}});
}

std::string explanations_text(const Bags& bags, std::span<const BagExplanation> explanations,
                              std::int64_t top) {
  using report::Align;
  using report::fixed;
  const bool effects = !explanations.empty() && !explanations.front().effect.empty();
  std::vector<report::Column> columns = {{"bag"},
                                         {"label"},
                                         {"score", Align::kRight},
                                         {"instance"},
                                         {"weight", Align::kRight},
                                         {"even share", Align::kRight},
                                         {"alone", Align::kRight}};
  if (effects) columns.push_back({"effect", Align::kRight});
  report::Table table(std::move(columns));
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    visit_top(bags, b, explanation, top, [&](std::size_t rank, std::size_t i, std::size_t row) {
      const bool first = rank == 0;
      const std::string label = bags.labels.empty() ? "?" : std::to_string(bags.labels[b]);
      std::vector<std::string> cells = {first ? bags.bag_ids[b] : "",
                                        first ? label : "",
                                        first ? fixed(explanation.score, 2) : "",
                                        bags.instance_ids[row],
                                        fixed(explanation.mean_weight[i], 3),
                                        fixed(1 / static_cast<double>(explanation.order.size()), 3),
                                        fixed(explanation.alone[i], 2)};
      if (effects) cells.push_back(report::signed_fixed(explanation.effect[i], 2));
      table.add_row(std::move(cells));
    });
  }
  return table.text();
}

}  // namespace hopfield::mil
