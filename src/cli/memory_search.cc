#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_answers.h"
#include "cli/memory_codes.h"
#include "cli/memory_recall.h"
#include "cli/theory_output.h"
#include "hopfield/memory/search.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kShown = 20;  // cues in the table

struct SearchArguments {
  QuestionPaths paths;
  BetaArguments beta;
  std::string similarity = "dot", output;
  std::int64_t top = 10;
};

/// Takes the answers batch by batch.
class SearchOutput {
 public:
  SearchOutput(const store::MemoryFile& memory, double beta, const std::string& path,
               std::int64_t num_top)
      : memory_(memory),
        beta_(beta),
        output_(path, num_top, {"cue", "rank", "id", "index", "similarity", "score", "weight"}) {}

  /// `codes` is null unless the memory holds codes.
  void add(std::int64_t first_cue, const SearchResult& found, const RerankReport* codes) {
    if (codes != nullptr) codes_.add(*codes);
    output_.numbers(found.index);
    for (std::size_t t = 0; t < found.lse.size(); ++t) {
      const std::int64_t cue = first_cue + static_cast<std::int64_t>(t);
      if (output_.format() == AnswerFormat::kNone && cue < kShown) print(cue, found, t);
      if (output_.format() == AnswerFormat::kJsonLines) output_.json(answer(cue, found, t, codes));
      if (output_.table()) add_cells(cue, found, t);
    }
  }

  void finish(std::int64_t num_cues) {
    output_.commit();
    if (output_.format() == AnswerFormat::kNone && num_cues > kShown) {
      std::cout << "   ... " << num_cues - kShown << " more; -o FILE has them all\n";
    }
    if (output_.format() == AnswerFormat::kNone && memory_.dtype() == DType::kI8) {
      std::cout << "\n" << codes_.line();
    }
  }

 private:
  void add_cells(std::int64_t cue, const SearchResult& found, std::size_t t) {
    const auto k = static_cast<std::size_t>(found.num_top);
    for (std::size_t rank = 0; rank < k; ++rank) {
      const std::size_t i = t * k + rank;
      output_.cells({csv_number(cue), std::to_string(rank + 1),
                     csv_cell(memory_.id(found.index[i])), csv_number(found.index[i]),
                     csv_number(found.similarity[i]), csv_number(beta_ * found.similarity[i]),
                     csv_number(found.weight[i])});
    }
  }

  Json answer(std::int64_t cue, const SearchResult& found, std::size_t t,
              const RerankReport* codes) const {
    Json hits = Json::array();
    const auto k = static_cast<std::size_t>(found.num_top);
    for (std::size_t i = t * k; i < (t + 1) * k; ++i) {
      hits.push_back({{"id", memory_.id(found.index[i])},
                      {"index", found.index[i]},
                      {"similarity", found.similarity[i]},
                      {"score", beta_ * found.similarity[i]},
                      {"weight", found.weight[i]}});
      if (memory_.has_metadata()) hits.back()["metadata"] = metadata_of(memory_, found.index[i]);
    }
    Json json = {{"cue", cue}, {"lse", found.lse[t]}, {"hits", std::move(hits)}};
    if (codes != nullptr) json["codes"] = codes_json(*codes, t);
    return json;
  }

  void print(std::int64_t cue, const SearchResult& found, std::size_t t) const {
    if (cue == 0) std::cout << "   cue  rank    similarity        weight  id\n";
    const auto k = static_cast<std::size_t>(found.num_top);
    for (std::size_t rank = 0; rank < k; ++rank) {
      const std::size_t i = t * k + rank;
      std::cout << std::setw(6) << cue << std::setw(6) << rank + 1 << std::setw(14)
                << found.similarity[i] << std::setw(14) << found.weight[i] << "  "
                << memory_.id(found.index[i]) << "\n";
    }
  }

  const store::MemoryFile& memory_;
  double beta_;
  AnswerOutput<std::int64_t> output_;
  CodesSummary codes_;
};

int run_search(const SearchArguments& a, const Context& context) {
  const double given_beta = parse_beta(a.beta.beta);
  (void)answer_format(a.output);
  check_output(a.output, {a.paths.memory, a.paths.cue});
  const store::MemoryFile memory = open_memory(a.paths.memory, a.paths.where);
  const Rows cues = open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor);
  SearchOptions options;
  options.similarity = parse_similarity(a.similarity);
  options.num_top = std::min(a.top, memory.num_patterns());
  options.executor = context.stoppable_executor.get();
  AdviceOptions advice = affordable_advice(memory, a.beta.expect, context.stoppable_executor.get());
  advice.similarity = options.similarity;
  const Beta beta = choose_beta(given_beta, memory, advice);
  if (a.output.empty()) {
    std::cout << std::setprecision(4) << "memory   " << memory.path() << ": "
              << memory.num_patterns() << " patterns of depth " << memory.depth() << "\n"
              << "beta     " << beta.value << " (" << beta.source << "), similarity "
              << a.similarity << "\n\n";
  }
  SearchOutput output(memory, beta.value, a.output, options.num_top);
  const std::int64_t num_cues = for_cue_batches(
      cues, "searching", context, [&](std::int64_t first, const PatternView& states) {
        if (memory.dtype() == DType::kI8) {
          RerankReport codes;
          const SearchResult found = search_codes(memory.patterns(), exact_rows(memory), states,
                                                  beta.value, options, &codes);
          output.add(first, found, &codes);
        } else {
          output.add(first, search(memory.patterns(), states, beta.value, options), nullptr);
        }
      });
  output.finish(num_cues);
  return kOk;
}

}  // namespace

void add_memory_search(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<SearchArguments>();
  CLI::App& command =
      add_command(noun, context, "search", "Find the patterns that are most alike each cue",
                  {"hopfield memory search memory.safetensors --cue cue.npy",
                   "hopfield memory search memory.safetensors --cue cue.npy --top 2 -o hits.csv",
                   "hopfield memory search memory.safetensors --cue cue.npy --similarity cosine "
                   "--beta 10 -o -"},
                  [a, &context] { return run_search(*a, context); });
  add_question(command, a->paths, "States");
  add_where(command, a->paths.where);
  add_whole_number(command, "--top", a->top, "How many patterns a cue", 1);
  add_similarity(command, a->similarity);
  add_beta(command, a->beta);
  command
      .add_option(
          "-o,--output", a->output,
          "Write the hits of all cues as .jsonl, .csv or .tsv, or their indices as .npy [cues, "
          "top]; - prints JSON lines")
      ->type_name("FILE");
  add_threads(command, context);
}

}  // namespace hopfield::cli
