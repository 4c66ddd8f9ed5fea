#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_change.h"
#include "cli/memory_prove.h"
#include "cli/patterns.h"
#include "hopfield/store/memory_writer.h"
#include "hopfield/store/predicate.h"

namespace hopfield::cli {
namespace {

struct ForgetArguments {
  std::string memory, file, where, json;
  std::vector<std::string> ids;
  bool dry_run = false, prove = false;
};

/// Which patterns are meant, ascending.
std::vector<std::int64_t> meant(const ForgetArguments& a, const store::MemoryFile& memory) {
  if (!a.where.empty()) return matching_patterns(memory, store::Predicate(a.where));
  std::vector<std::string> names = a.ids;
  if (!a.file.empty()) {
    const std::vector<std::string> more = read_lines(a.file);
    names.insert(names.end(), more.begin(), more.end());
  }
  std::vector<std::int64_t> patterns;
  for (const std::string& name : names) {
    const std::optional<std::int64_t> pattern = memory.find(name);
    require(pattern.has_value(), "memory",
            "expected ids of patterns in '" + memory.path() + "', got '" + name + "'");
    patterns.push_back(*pattern);
  }
  std::sort(patterns.begin(), patterns.end());
  const auto twice = std::adjacent_find(patterns.begin(), patterns.end());
  if (twice != patterns.end()) {
    fail(ErrorCode::kCorruptData, "memory",
         "expected each id once, got '" + memory.id(*twice) + "' twice");
  }
  return patterns;
}

std::vector<std::string> names_of(const store::MemoryFile& memory,
                                  const std::vector<std::int64_t>& patterns) {
  std::vector<std::string> names;
  for (const std::int64_t pattern : patterns) names.push_back(memory.id(pattern));
  return names;
}

int dry_run(const ForgetArguments& a, const std::string& target) {
  constexpr std::size_t kShown = 20;
  const store::MemoryFile memory(a.memory);
  const std::vector<std::string> names = names_of(memory, meant(a, memory));
  if (!target.empty()) {
    write_json(target, {{"would_forget", names}, {"memory", memory_facts(memory)}});
  }
  if (target == "-") return kOk;
  std::cout << a.memory << ": would forget " << patterns_text(std::ssize(names)) << " of "
            << memory.num_patterns() << "\n";
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    std::cout << "  " << names[i] << "\n";
  }
  if (names.size() > kShown) {
    std::cout << "  ... " << names.size() - kShown << " more; --json has them all\n";
  }
  return kOk;
}

Json proof_json(const ForgetProof& proof) {
  Json twins = Json::array();
  for (const auto& [id, of] : proof.twins) twins.push_back({{"id", id}, {"same_as", of}});
  return {{"holds", proof.holds()},
          {"file_bytes", proof.file_bytes},
          {"file_equals_fresh_memory", proof.file_is_fresh},
          {"num_forgotten_cues", proof.num_forgotten_cues},
          {"num_random_cues", proof.num_random_cues},
          {"seed", proof.seed},
          {"betas", proof.betas},
          {"updates", proof.updates},
          {"num_different_recalls", proof.num_different},
          {"same_numbers_left", twins}};
}

void print_proof(const ForgetProof& proof) {
  std::cout << "file     "
            << (proof.file_is_fresh ? "each of its " + std::to_string(proof.file_bytes) +
                                          " bytes is as in a memory made from the other patterns\n"
                                    : "NOT what a memory made from the other patterns holds\n");
  if (proof.betas.empty()) {
    std::cout << "recalls  none: no pattern is left\n";
  } else {
    std::cout << "recalls  "
              << (proof.num_different == 0 ? std::string("bit for bit those of that memory")
                                           : "NOT those of that memory: " +
                                                 std::to_string(proof.num_different) + " differ")
              << "; cues: " << proof.num_forgotten_cues << " of the forgotten patterns, "
              << proof.num_random_cues << " random (seed " << proof.seed << "); beta";
    for (const double beta : proof.betas) std::cout << " " << beta;
    std::cout << "; " << proof.updates << " updates\n";
  }
  for (const auto& [id, of] : proof.twins) {
    std::cout << "note     '" << of << "', which stays, has the numbers that '" << id << "' had\n";
  }
  std::cout << "outside  copies, backups, exports, free blocks of the disk: not looked at\n";
}

int run_forget(const ForgetArguments& a) {
  require(!a.ids.empty() || !a.file.empty() || !a.where.empty(), "--id",
          "expected names of patterns to forget, got none; give --id NAME, --ids FILE or --where "
          "PREDICATE");
  const std::string target = json_target(a.json, {a.memory, a.file});
  if (a.dry_run) return dry_run(a, target);
  if (a.prove) check_new_output(fresh_memory_path(a.memory), {}, false);

  auto writer = std::make_unique<store::MemoryWriter>(a.memory);
  store::MemoryFile before(a.memory);  // while nobody else can change it
  const std::vector<std::int64_t> patterns = meant(a, before);
  const std::vector<std::string> names = names_of(before, patterns);
  writer->forget(names);
  writer.reset();  // compacting locks the memory itself

  const std::string what = "forgot " + patterns_text(std::ssize(names));
  if (!a.prove) return told(a.memory, what, {{"forgotten", names}}, target);
  const ForgetProof proof = prove_forgotten(a.memory, std::move(before), patterns);
  told(a.memory, what, {{"forgotten", names}, {"proof", proof_json(proof)}}, target);
  if (target != "-") print_proof(proof);
  return proof.holds() ? kOk : kMissed;
}

}  // namespace

void add_memory_forget(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<ForgetArguments>();
  CLI::App& command = add_command(
      noun, context, "forget", "Forget patterns by their names or by what their metadata say",
      {"hopfield memory forget memory.safetensors --id 0 --id 2",
       "hopfield memory forget memory.safetensors --ids numbers.txt",
       "hopfield memory forget rich.safetensors --where 'label == \"cat\" and year < 2020' "
       "--dry-run",
       "hopfield memory forget memory.safetensors --id 0 --prove"},
      [a] { return run_forget(*a); });
  add_memory_argument(command, a->memory);
  CLI::Option* id =
      command
          .add_option("--id", a->ids,
                      "Name of a pattern (its number, counted from 0, if patterns have no names); "
                      "may be given several times")
          ->type_name("NAME")
          ->allow_extra_args(false);
  CLI::Option* ids =
      command.add_option("--ids", a->file, "A file of names, one a line")->type_name("FILE");
  add_where(command, a->where)->excludes(id)->excludes(ids);
  CLI::Option* dry_run =
      command.add_flag("--dry-run", a->dry_run, "Only tell which; change nothing");
  command
      .add_flag("--prove", a->prove,
                "Then compact the memory and compare it, bytes and recalls, with one made from the "
                "other patterns alone; exits 4 if they differ. Cues are 256 of the forgotten "
                "patterns at most, and 256 random ones: equal bytes give equal recalls, so more "
                "would take longer and prove no more")
      ->excludes(dry_run);
  add_json_flag(command, a->json);
}

}  // namespace hopfield::cli
