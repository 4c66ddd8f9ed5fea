#include "cli/memory_change.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_partial.h"
#include "cli/patterns.h"
#include "hopfield/base/os.h"
#include "hopfield/store/memory_writer.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {

std::string patterns_text(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " pattern" : " patterns");
}

int told(const std::string& path, const std::string& what, Json json, const std::string& target) {
  const store::MemoryFile memory(path);
  json["memory"] = memory_facts(memory);
  if (!target.empty()) write_json(target, json);
  if (target == "-") return kOk;
  std::cout << path << ": " << what << "; " << patterns_text(memory.num_patterns()) << " now, "
            << memory.tombstones() << " tombstones, " << memory.num_bytes() << " bytes\n";
  return kOk;
}

std::string json_target(const std::string& json, const std::vector<std::string>& files) {
  std::string target = json_path(json);
  check_output(target, files);
  return target;
}

void add_memory_argument(CLI::App& command, std::string& memory) {
  command.add_option("memory", memory, "A memory")->type_name("FILE")->required();
}

namespace {

struct RowsArguments {
  std::string memory, json;
  NamedRows rows;

  std::string target() const {
    return json_target(json, {memory, rows.patterns, rows.ids, rows.values, rows.metadata});
  }
};

int run_add(const RowsArguments& a) {
  const std::string target = a.target();
  const Rows rows = open_named_rows(a.rows);
  const std::vector<std::string> ids =
      store::MemoryWriter(a.memory).add(rows.source, rows.ids, rows.attached());
  std::string what = "added " + patterns_text(std::ssize(ids));
  if (ids.size() == 1) what += ", id " + ids.front();
  if (ids.size() > 1) what += ", ids " + ids.front() + " to " + ids.back();
  return told(a.memory, what, {{"added", ids}}, target);
}

void add_add(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RowsArguments>();
  CLI::App& command = add_command(
      noun, context, "add", "Add patterns to a memory; without names they are numbered on",
      {"hopfield memory add memory.safetensors patterns.npy",
       "hopfield memory add memory.safetensors patterns.npy --ids names.txt",
       "hopfield memory add memory.safetensors patterns.npy --metadata about.jsonl --json"},
      [a] { return run_add(*a); });
  add_memory_argument(command, a->memory);
  add_named_rows(command, a->rows)->required();
  add_json_flag(command, a->json);
}

int run_update(const RowsArguments& a) {
  const NamedRows& from = a.rows;
  require(!from.ids.empty() || !from.id_column.empty(), "--ids",
          "expected the names of the patterns to update, got none; give --ids FILE or --id-column "
          "NAME");
  require(!from.patterns.empty() || !from.values.empty() || !from.metadata.empty(), "patterns",
          "expected patterns, --values or --metadata to update, got none");
  require(!from.patterns.empty() || !from.ids.empty(), "--id-column",
          "expected patterns that have the column, got none; give --ids FILE");
  const std::string target = a.target();
  const Rows rows = open_named_rows(from);
  store::MemoryWriter writer(a.memory);
  if (from.patterns.empty()) {
    writer.attach(rows.ids, rows.attached());
  } else {
    writer.update(rows.ids, rows.source, rows.attached());
  }
  return told(a.memory, "updated " + patterns_text(rows.source.num_patterns),
              {{"updated", rows.ids}}, target);
}

void add_update(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RowsArguments>();
  CLI::App& command = add_command(
      noun, context, "update",
      "Put new numbers, values or metadata in the place of those of named patterns",
      {"hopfield memory update memory.safetensors patterns.npy --ids numbers.txt",
       "hopfield memory update memory.safetensors --ids numbers.txt --metadata about.jsonl"},
      [a] { return run_update(*a); });
  add_memory_argument(command, a->memory);
  add_named_rows(command, a->rows);
  add_json_flag(command, a->json);
}

struct CompactArguments {
  std::string memory, json;
};

int run_compact(const CompactArguments& a, const Context& context) {
  const std::string target = json_target(a.json, {a.memory});
  const std::uint64_t before = store::MemoryFile(a.memory).num_bytes();
  store::compact_memory(a.memory, context.cancelled);
  return told(a.memory, "compacted from " + std::to_string(before) + " bytes",
              {{"bytes_before", before}}, target);
}

void add_compact(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<CompactArguments>();
  CLI::App& command = add_command(
      noun, context, "compact",
      "Write a memory anew without what was forgotten: smaller, and plain safetensors again",
      {"hopfield memory compact memory.safetensors"},
      [a, &context] { return run_compact(*a, context); });
  add_memory_argument(command, a->memory);
  add_json_flag(command, a->json);
}

struct ExportArguments {
  std::string memory, output, ids, values, metadata, where, json;
  bool force = false;
};

/// Patterns or values, as f32.
void export_npy(const PatternView& rows, const store::PatternSource& source,
                const std::string& path) {
  const std::int64_t shape[] = {source.num_patterns, source.depth};
  const auto count = static_cast<std::size_t>(shape[0] * shape[1]);
  if (rows.dtype == DType::kF32) {
    store::write_npy<float>(path, {static_cast<const float*>(rows.data), count}, shape);
    return;
  }
  const std::vector<double> numbers = source.rows(0, shape[0]);
  store::write_npy<float>(path, std::vector<float>(numbers.begin(), numbers.end()), shape);
}

void export_table(const store::MemoryFile& memory, const std::string& path, char delimiter,
                  IfExists if_exists, const Context& context) {
  constexpr std::int64_t kBlockNumbers = std::int64_t{1} << 16;
  AtomicFile file(path, if_exists);
  std::string text = "id";
  for (std::int64_t k = 0; k < memory.depth(); ++k) {
    text += delimiter;
    text += "x" + std::to_string(k);
  }
  text += '\n';
  const store::PatternSource source = store::pattern_source(memory);
  const std::int64_t block = std::max<std::int64_t>(1, kBlockNumbers / source.depth);
  for (std::int64_t first = 0; first < source.num_patterns; first += block) {
    stop_if_cancelled(context);
    const std::int64_t count = std::min(block, source.num_patterns - first);
    const std::vector<double> numbers = source.rows(first, count);
    for (std::int64_t i = 0; i < count; ++i) {
      text += csv_quoted(memory.id(first + i));
      for (std::int64_t k = 0; k < source.depth; ++k) {
        char number[32];  // the shortest text that reads back as the same f32
        const auto value =
            static_cast<float>(numbers[static_cast<std::size_t>(i * source.depth + k)]);
        text += delimiter;
        text.append(number, std::to_chars(number, number + sizeof number, value).ptr);
      }
      text += '\n';
    }
    file.write(text);
    text.clear();
  }
  file.write(text);
  file.commit();
}

/// One text a pattern, one a line.
template <class Text>
void export_lines(const store::MemoryFile& memory, const std::string& path, IfExists if_exists,
                  const Text& text) {
  AtomicFile file(path, if_exists);
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) file.write(text(i) + "\n");
  file.commit();
}

void check_export(const ExportArguments& a) {
  const bool npy = a.output.ends_with(".npy"), memory = a.output.ends_with(".safetensors");
  require(npy || memory || a.output.ends_with(".csv") || a.output.ends_with(".tsv"), "--output",
          "expected a name that ends in .npy, .csv, .tsv or .safetensors, got '" + a.output + "'");
  require(npy || a.ids.empty(), "--ids",
          "expected an output that ends in .npy, got '" + a.output +
              "', which holds the names itself; leave --ids out");
  require(!memory || (a.values.empty() && a.metadata.empty()), "--output",
          "expected an output that is no memory, got '" + a.output +
              "', which holds values and metadata itself; leave --values and --metadata out");
  require(a.values.empty() || a.values.ends_with(".npy"), "--values",
          "expected a name that ends in .npy, got '" + a.values + "'");
  std::vector<std::string> others = {a.memory};
  for (const std::string& path : {a.output, a.ids, a.values, a.metadata}) {
    if (path.empty()) continue;
    check_new_output(path, others, a.force);
    others.push_back(path);
  }
}

int run_export(const ExportArguments& a, const Context& context) {
  check_export(a);
  const std::string target = json_target(a.json, {a.memory, a.output, a.ids, a.values, a.metadata});
  const IfExists if_exists = a.force ? IfExists::kReplace : IfExists::kRefuse;
  store::MemoryFile memory(a.memory);
  restrict_where(memory, a.where);
  memory.verify();
  require(a.values.empty() || memory.has_values(), "--values",
          "expected a memory with values, got '" + a.memory + "', which has none");
  if (a.output.ends_with(".npy")) {
    export_npy(memory.patterns(), store::pattern_source(memory), a.output);
  } else if (a.output.ends_with(".safetensors")) {
    store::copy_memory(memory, a.output, if_exists, context.cancelled);
  } else {
    export_table(memory, a.output, a.output.ends_with(".csv") ? ',' : '\t', if_exists, context);
  }
  if (!a.values.empty()) export_npy(memory.values(), store::value_source(memory), a.values);
  if (!a.ids.empty()) {
    export_lines(memory, a.ids, if_exists, [&](std::int64_t i) { return memory.id(i); });
  }
  if (!a.metadata.empty()) {
    export_lines(memory, a.metadata, if_exists, [&](std::int64_t i) { return memory.metadata(i); });
  }
  if (!target.empty()) {
    write_json(
        target,
        {{"output", a.output}, {"num_patterns", memory.num_patterns()}, {"depth", memory.depth()}});
  }
  if (target == "-") return kOk;
  std::cout << a.output << ": " << patterns_text(memory.num_patterns()) << " of depth "
            << memory.depth() << "\n";
  return kOk;
}

void add_export(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<ExportArguments>();
  CLI::App& command = add_command(
      noun, context, "export", "Write the patterns of a memory in another format",
      {"hopfield memory export memory.safetensors -o patterns.npy --ids names.txt --force",
       "hopfield memory export memory.safetensors -o patterns.csv",
       "hopfield memory export memory.safetensors -o copy.safetensors",
       "hopfield memory export rich.safetensors -o cats.npy --values values.npy --metadata "
       "about.jsonl --where 'label == \"cat\"' --force"},
      [a, &context] { return run_export(*a, context); });
  add_memory_argument(command, a->memory);
  command
      .add_option("-o,--output", a->output,
                  "What to write: .npy (f32), .csv or .tsv (first column: id), .safetensors (a "
                  "compact memory)")
      ->type_name("FILE")
      ->required();
  command.add_option("--ids", a->ids, "With .npy: write the names here, one a line")
      ->type_name("FILE");
  command.add_option("--values", a->values, "Write the values here (NPY, f32)")->type_name("FILE");
  command.add_option("--metadata", a->metadata, "Write the metadata here (JSONL)")
      ->type_name("FILE");
  add_where(command, a->where);
  add_force(command, a->force);
  add_json_flag(command, a->json);
}

struct MergeArguments {
  std::vector<std::string> memories;
  std::string output, json;
  std::int64_t top = 3;
  bool rename = false, force = false;
};

int run_merge(const MergeArguments& a, const Context& context) {
  if (is_partial(a.memories.front())) {
    require(!a.rename, "--rename", "expected it with memories only, got partial results");
    return run_merge_partials({a.memories, a.output, json_path(a.json), a.top});
  }
  require(!a.output.empty(), "--output", "expected a name for the new memory, got none");
  check_new_output(a.output, a.memories, a.force);
  std::vector<std::string> files = a.memories;
  files.push_back(a.output);
  const std::string target = json_target(a.json, files);
  store::MergeOptions options;
  options.rename = a.rename;
  options.if_exists = a.force ? IfExists::kReplace : IfExists::kRefuse;
  options.cancelled = context.cancelled;
  store::merge_memories(a.output, a.memories, options);
  return told(a.output, "merged " + std::to_string(a.memories.size()) + " memories",
              {{"merged", a.memories}}, target);
}

void add_merge(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<MergeArguments>();
  CLI::App& command = add_command(
      noun, context, "merge",
      "Write the patterns of several memories as a new one, or join partial results of recall",
      {"hopfield memory merge memory.safetensors other.safetensors -o all.safetensors --rename",
       "hopfield memory merge a.partial b.partial -o states.npy"},
      [a, &context] { return run_merge(*a, context); });
  command
      .add_option("memories", a->memories,
                  "Memories of one depth and type, or what recall --partial wrote about the same "
                  "cues")
      ->type_name("FILE")
      ->required();
  command
      .add_option("-o,--output", a->output,
                  "The memory to write; of partial results the states or values, as recall -o "
                  "writes them")
      ->type_name("FILE");
  add_whole_number(command, "--top", a->top,
                   "Of partial results: how many associations to tell, at most as many as recall "
                   "--top kept",
                   1, 1000);
  command.add_flag("--rename", a->rename,
                   "Names that several memories have get -2, -3, ...; without names all patterns "
                   "are numbered anew");
  add_force(command, a->force);
  add_json_flag(command, a->json);
}

}  // namespace

void add_memory_changes(CLI::App& noun, Context& context) {
  add_add(noun, context);
  add_memory_forget(noun, context);
  add_update(noun, context);
  add_compact(noun, context);
  add_export(noun, context);
  add_merge(noun, context);
}

}  // namespace hopfield::cli
