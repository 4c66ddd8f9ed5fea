#include "hopfield/apps/mil/tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "apps/mil/text.h"
#include "hopfield/base/error.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::mil {
namespace {

using Json = nlohmann::ordered_json;

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

/// What is said of one bag.
struct Prediction {
  std::span<const double> scores;
  double probability = 0;  ///< of the second of two classes, of several of the predicted one
  std::string predicted = {}, label = {};  ///< label: if known
};

template <class Visit>
void visit_predictions(const Bags& bags, std::span<const double> scores, const LabelScheme& scheme,
                       const Visit& visit) {
  const auto outputs = static_cast<std::size_t>(scheme.num_outputs());
  for (std::size_t b = 0; b < bags.bag_ids.size(); ++b) {
    Prediction of{scores.subspan(b * outputs, outputs)};
    if (scheme.target != Target::kRegression) {
      const auto best = static_cast<std::size_t>(scheme.predicted(of.scores));
      of.predicted = scheme.class_names[best];
      of.probability = scheme.probabilities(of.scores)[scheme.target == Target::kBinary ? 1 : best];
    }
    if (bags.has_labels()) of.label = bags.label_text(static_cast<std::int64_t>(b));
    visit(b, of);
  }
}

/// Labels that are numbers as numbers.
Json label_json(const std::string& label) {
  double value = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value);
  if (error != std::errc() || end != label.data() + label.size() || !std::isfinite(value)) {
    return label;
  }
  if (value == std::floor(value) && std::abs(value) < 0x1p53)
    return static_cast<std::int64_t>(value);
  return value;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const std::string& class_of(const BagExplanation& explanation, const LabelScheme& scheme) {
  return scheme.class_names[static_cast<std::size_t>(explanation.output)];
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

std::string predictions_csv(const Bags& bags, std::span<const double> scores,
                            const LabelScheme& scheme) {
  std::string out;
  std::vector<std::string> cells = {"bag_id"};
  if (scheme.target == Target::kClasses) {
    cells.insert(cells.end(), {"predicted", "probability"});
    for (const std::string& name : scheme.class_names) cells.push_back(cell("score_" + name));
  } else {
    cells.emplace_back("score");
    if (scheme.target == Target::kBinary) cells.insert(cells.end(), {"probability", "predicted"});
  }
  if (bags.has_labels()) cells.emplace_back("label");
  add_line(out, cells);
  visit_predictions(bags, scores, scheme, [&](std::size_t b, const Prediction& of) {
    cells = {cell(bags.bag_ids[b])};
    if (scheme.target == Target::kClasses) {
      cells.insert(cells.end(), {cell(of.predicted), exact(of.probability)});
    }
    for (const double score : of.scores) cells.push_back(exact(score));
    if (scheme.target == Target::kBinary) {
      cells.insert(cells.end(), {exact(of.probability), cell(of.predicted)});
    }
    if (bags.has_labels()) cells.push_back(cell(of.label));
    add_line(out, cells);
  });
  return out;
}

std::string predictions_json(const Bags& bags, std::span<const double> scores,
                             const LabelScheme& scheme) {
  Json rows = Json::array();
  visit_predictions(bags, scores, scheme, [&](std::size_t b, const Prediction& of) {
    Json row = {{"bag_id", bags.bag_ids[b]}};
    if (scheme.target == Target::kClasses) {
      row["scores"] = of.scores;
    } else {
      row["score"] = of.scores.front();
    }
    if (scheme.target != Target::kRegression) {
      row["probability"] = of.probability;
      row["predicted"] = label_json(of.predicted);
    }
    if (bags.has_labels()) row["label"] = label_json(of.label);
    rows.push_back(std::move(row));
  });
  Json json = {{"data", bags.origin}};
  if (scheme.target == Target::kClasses) json["classes"] = scheme.class_names;
  json["bags"] = std::move(rows);
  return dump(json);
}

std::string explanations_csv(const Bags& bags, std::span<const BagExplanation> explanations,
                             const std::vector<std::string>& weight_names, std::int64_t top,
                             const LabelScheme& scheme) {
  const bool classes = scheme.target == Target::kClasses;
  std::string out;
  std::vector<std::string> cells = {"bag_id"};
  if (classes) cells.emplace_back("class");
  cells.emplace_back("instance_id");
  if (!bags.coordinates.empty()) {
    for (const std::string& name : bags.coordinate_names) cells.push_back(cell(name));
  }
  cells.insert(cells.end(), {"rank", "weight", "alone", "effect"});
  for (const std::string& name : weight_names) cells.push_back("weight_" + name);
  add_line(out, cells);
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    visit_top(bags, b, explanation, top, [&](std::size_t rank, std::size_t i, std::size_t row) {
      cells = {cell(bags.bag_ids[b])};
      if (classes) cells.push_back(cell(class_of(explanation, scheme)));
      cells.push_back(cell(bags.instance_ids[row]));
      for (std::size_t axis = 0; axis < 2 && !bags.coordinates.empty(); ++axis) {
        cells.push_back(exact(bags.coordinates[2 * row + axis]));
      }
      const double effect = explanation.effect[i];
      cells.insert(cells.end(), {std::to_string(rank + 1), exact(explanation.mean_weight[i]),
                                 exact(explanation.alone[i]),
                                 std::isnan(effect) ? std::string() : exact(effect)});
      for (std::size_t w = 0; w < weight_names.size(); ++w) {
        cells.push_back(exact(explanation.weights[i * weight_names.size() + w]));
      }
      add_line(out, cells);
    });
  }
  return out;
}

std::string explanations_json(const Bags& bags, std::span<const BagExplanation> explanations,
                              const std::vector<std::string>& weight_names, std::int64_t top,
                              const LabelScheme& scheme) {
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
                       {"alone", explanation.alone[i]},
                       {"effect", explanation.effect[i]}};
      if (!bags.coordinates.empty()) {
        instance["coordinates"] = {bags.coordinates[2 * row], bags.coordinates[2 * row + 1]};
      }
      instance["weights"] = std::move(weights);
      instances.push_back(std::move(instance));
    });
    Json bag = {{"bag_id", bags.bag_ids[b]}, {"score", explanation.score}};
    if (scheme.target == Target::kBinary) {
      bag["probability"] = scheme.probabilities(std::span(&explanation.score, 1))[1];
    } else if (scheme.target == Target::kClasses) {
      bag["class"] = label_json(class_of(explanation, scheme));
    }
    if (bags.has_labels()) bag["label"] = label_json(bags.label_text(static_cast<std::int64_t>(b)));
    bag["num_instances"] = explanation.order.size();
    bag["instances"] = std::move(instances);
    rows.push_back(std::move(bag));
  }
  return dump({{"data", bags.origin}, {"bags", std::move(rows)}});
}

report::HeatMap explanation_map(const Bags& bags, std::int64_t bag,
                                const BagExplanation& explanation, const LabelScheme& scheme) {
  require(!bags.coordinates.empty(), "heat map", "expected bags with coordinates, got none");
  const auto b = static_cast<std::size_t>(bag);
  report::HeatMap map;
  map.title = bags.bag_ids[b] + ", score " + report::fixed(explanation.score, 2);
  if (scheme.target == Target::kClasses) map.title += " of " + class_of(explanation, scheme);
  if (bags.has_labels()) map.title += ", label " + bags.label_text(bag);
  map.x_label = bags.coordinate_names[0];
  map.y_label = bags.coordinate_names[1];
  const bool effects = std::none_of(explanation.effect.begin(), explanation.effect.end(),
                                    [](double effect) { return std::isnan(effect); });
  map.value_label = effects ? "effect" : "weight";
  map.values = effects ? explanation.effect : explanation.mean_weight;
  for (auto row = static_cast<std::size_t>(bags.offsets[b]);
       row < static_cast<std::size_t>(bags.offsets[b + 1]); ++row) {
    map.x.push_back(bags.coordinates[2 * row]);
    map.y.push_back(bags.coordinates[2 * row + 1]);
  }
  return map;
}

std::string explanations_text(const Bags& bags, std::span<const BagExplanation> explanations,
                              std::int64_t top, const LabelScheme& scheme) {
  using report::Align;
  using report::fixed;
  const bool classes = scheme.target == Target::kClasses;
  std::vector<report::Column> columns = {{"bag"},
                                         {"label"},
                                         {"score", Align::kRight},
                                         {"instance"},
                                         {"weight", Align::kRight},
                                         {"even share", Align::kRight},
                                         {"alone", Align::kRight},
                                         {"effect", Align::kRight}};
  if (classes) columns.insert(columns.begin() + 2, {"class"});
  report::Table table(std::move(columns));
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    visit_top(bags, b, explanation, top, [&](std::size_t rank, std::size_t i, std::size_t row) {
      const bool first = rank == 0;
      const std::string label =
          bags.has_labels() ? bags.label_text(static_cast<std::int64_t>(b)) : "?";
      std::vector<std::string> cells = {first ? bags.bag_ids[b] : "",
                                        first ? label : "",
                                        first ? fixed(explanation.score, 2) : "",
                                        bags.instance_ids[row],
                                        fixed(explanation.mean_weight[i], 3),
                                        fixed(1 / static_cast<double>(explanation.order.size()), 3),
                                        fixed(explanation.alone[i], 2),
                                        report::signed_fixed(explanation.effect[i], 2)};
      if (classes) cells.insert(cells.begin() + 2, first ? class_of(explanation, scheme) : "");
      table.add_row(std::move(cells));
    });
  }
  return table.text();
}

}  // namespace hopfield::mil
