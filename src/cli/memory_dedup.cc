#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_recall.h"
#include "cli/theory_output.h"
#include "hopfield/memory/duplicates.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {
namespace {

constexpr std::size_t kShown = 20;

struct DedupArguments {
  std::string memory, list, output;
  double distance = 0, cosine = 0;
  bool by_cosine = false, force = false;
};

/// The number that the user gave a threshold for.
double shown_number(const DedupArguments& a, double similarity) {
  return a.by_cosine ? similarity : std::sqrt(-similarity);
}

void write_list(const DedupArguments& a, const store::MemoryFile& memory,
                const NearDuplicates& found) {
  LineOutput output(a.list);
  output.write(std::string("duplicate,id,of,of_id,") + (a.by_cosine ? "cosine\n" : "distance\n"));
  for (std::size_t i = 0; i < found.duplicate.size(); ++i) {
    output.write(csv_number(found.duplicate[i]) + "," + csv_cell(memory.id(found.duplicate[i])) +
                 "," + csv_number(found.kept[i]) + "," + csv_cell(memory.id(found.kept[i])) + "," +
                 csv_number(shown_number(a, found.similarity[i])) + "\n");
  }
  output.commit();
}

/// A memory of the patterns that are no duplicates, with all that belongs to them.
void write_kept(const DedupArguments& a, store::MemoryFile& memory, const NearDuplicates& found,
                const Context& context) {
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    if (!std::binary_search(found.duplicate.begin(), found.duplicate.end(), i)) kept.push_back(i);
  }
  memory.restrict_to(kept);
  store::copy_memory(memory, a.output, a.force ? IfExists::kReplace : IfExists::kRefuse,
                     context.cancelled);
}

void print_found(const DedupArguments& a, const store::MemoryFile& memory,
                 const NearDuplicates& found) {
  const auto num_kept = memory.num_patterns() - static_cast<std::int64_t>(found.duplicate.size());
  std::cout << std::setprecision(4) << memory.path() << ": " << found.duplicate.size() << " of "
            << memory.num_patterns() << " patterns are near duplicates, " << num_kept << " stay\n";
  const std::size_t shown = std::min(found.duplicate.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) {
    std::cout << "  " << memory.id(found.duplicate[i]) << " of " << memory.id(found.kept[i])
              << (a.by_cosine ? ", cosine " : ", distance ") << shown_number(a, found.similarity[i])
              << "\n";
  }
  if (shown < found.duplicate.size()) {
    std::cout << "  ... " << found.duplicate.size() - shown << " more; --list FILE has them all\n";
  }
}

int run_dedup(const DedupArguments& a, const Context& context) {
  check_output(a.list, {a.memory});
  check_new_output(a.output, {a.memory, a.list}, a.force);
  store::MemoryFile memory(a.memory);
  DuplicateOptions options;
  options.executor = context.stoppable_executor.get();
  if (a.by_cosine) {
    options.similarity = Similarity::kCosine;
    options.least_similarity = a.cosine;
  } else {
    options.least_similarity = -a.distance * a.distance;
  }
  NearDuplicates found;
  {
    Progress progress("comparing", memory.num_patterns());
    options.progress = [&](std::int64_t done) {
      stop_if_cancelled(context);
      progress.update(done);
    };
    found = near_duplicates(memory.patterns(), options);
  }
  if (!a.list.empty()) write_list(a, memory, found);
  if (a.list != "-") print_found(a, memory, found);
  if (!a.output.empty()) write_kept(a, memory, found, context);
  return kOk;
}

}  // namespace

void add_memory_dedup(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<DedupArguments>();
  CLI::App& command =
      add_command(noun, context, "dedup", "Find patterns that nearly repeat an earlier one",
                  {"hopfield memory dedup memory.safetensors",
                   "hopfield memory dedup memory.safetensors --distance 0.5 --list near.csv",
                   "hopfield memory dedup memory.safetensors --cosine 0.99 -o fewer.safetensors"},
                  [a, &context] { return run_dedup(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  CLI::Option* distance =
      add_number(command, "--distance", a->distance,
                 "Near: within this Euclidean distance; 0: equal numbers", 0, 1e300);
  add_number(command, "--cosine", a->cosine, "Near: cosine of at least this", -1, 1)
      ->excludes(distance)
      ->each([a](const std::string&) { a->by_cosine = true; });
  command.add_option("--list", a->list, "Write all of them (CSV); - prints them")
      ->type_name("FILE");
  command
      .add_option("-o,--output", a->output,
                  "A new memory without them (safetensors); the old one stays as it is")
      ->type_name("FILE");
  add_force(command, a->force);
  add_threads(command, context);
}

}  // namespace hopfield::cli
