#include "cli/memory_change.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/patterns.h"
#include "hopfield/base/os.h"
#include "hopfield/store/memory_writer.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {
namespace {

/// "1 pattern", "2 patterns"
std::string patterns_text(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " pattern" : " patterns");
}

/// What was done, and what the memory holds now.
int told(const std::string& path, const std::string& what) {
  const store::MemoryFile memory(path);
  std::cout << path << ": " << what << "; " << patterns_text(memory.num_patterns()) << " now, "
            << memory.tombstones() << " tombstones, " << memory.num_bytes() << " bytes\n";
  return kOk;
}

void add_memory_argument(CLI::App& command, std::string& memory) {
  command.add_option("memory", memory, "A memory")->type_name("FILE")->required();
}

struct RowsArguments {
  std::string memory;
  NamedRows rows;
};

int run_add(const RowsArguments& a) {
  const Rows rows = open_named_rows(a.rows);
  const std::vector<std::string> ids = store::MemoryWriter(a.memory).add(rows.source, rows.ids);
  std::string what = "added " + patterns_text(std::ssize(ids));
  if (ids.size() == 1) what += ", id " + ids.front();
  if (ids.size() > 1) what += ", ids " + ids.front() + " to " + ids.back();
  return told(a.memory, what);
}

void add_add(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RowsArguments>();
  CLI::App& command = add_command(
      noun, context, "add", "Add patterns to a memory; without names they are numbered on",
      {"hopfield memory add memory.safetensors patterns.npy",
       "hopfield memory add memory.safetensors patterns.npy --ids names.txt"},
      [a] { return run_add(*a); });
  add_memory_argument(command, a->memory);
  add_named_rows(command, a->rows);
}

int run_update(const RowsArguments& a) {
  require(!a.rows.ids.empty() || !a.rows.id_column.empty(), "--ids",
          "expected the names of the patterns to update, got none; give --ids FILE or --id-column "
          "NAME");
  const Rows rows = open_named_rows(a.rows);
  store::MemoryWriter(a.memory).update(rows.ids, rows.source);
  return told(a.memory, "updated " + patterns_text(rows.source.num_patterns));
}

void add_update(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RowsArguments>();
  CLI::App& command =
      add_command(noun, context, "update", "Put new numbers in the place of named patterns",
                  {"hopfield memory update memory.safetensors patterns.npy --ids numbers.txt"},
                  [a] { return run_update(*a); });
  add_memory_argument(command, a->memory);
  add_named_rows(command, a->rows);
}

struct ForgetArguments {
  std::string memory, file;
  std::vector<std::string> ids;
};

int run_forget(ForgetArguments a) {
  require(!a.ids.empty() || !a.file.empty(), "--id",
          "expected names of patterns to forget, got none; give --id NAME or --ids FILE");
  if (!a.file.empty()) {
    const std::vector<std::string> more = read_ids(a.file);
    a.ids.insert(a.ids.end(), more.begin(), more.end());
  }
  store::MemoryWriter(a.memory).forget(a.ids);
  return told(a.memory, "forgot " + patterns_text(std::ssize(a.ids)));
}

void add_forget(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<ForgetArguments>();
  CLI::App& command = add_command(noun, context, "forget", "Forget patterns by their names",
                                  {"hopfield memory forget memory.safetensors --id 0 --id 2",
                                   "hopfield memory forget memory.safetensors --ids numbers.txt"},
                                  [a] { return run_forget(*a); });
  add_memory_argument(command, a->memory);
  command
      .add_option("--id", a->ids,
                  "Name of a pattern (its number, counted from 0, if patterns have no names); may "
                  "be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command.add_option("--ids", a->file, "A file of names, one a line")->type_name("FILE");
}

int run_compact(const std::string& path, const Context& context) {
  const std::uint64_t before = store::MemoryFile(path).num_bytes();
  store::compact_memory(path, context.cancelled);
  return told(path, "compacted from " + std::to_string(before) + " bytes");
}

void add_compact(CLI::App& noun, Context& context) {
  const auto path = std::make_shared<std::string>();
  CLI::App& command = add_command(
      noun, context, "compact",
      "Write a memory anew without what was forgotten: smaller, and plain safetensors again",
      {"hopfield memory compact memory.safetensors"},
      [path, &context] { return run_compact(*path, context); });
  add_memory_argument(command, *path);
}

struct ExportArguments {
  std::string memory, output, ids;
  bool force = false;
};

void export_npy(const store::MemoryFile& memory, const std::string& path) {
  const std::int64_t shape[] = {memory.num_patterns(), memory.depth()};
  const auto count = static_cast<std::size_t>(shape[0] * shape[1]);
  if (memory.dtype() == DType::kF32) {
    store::write_npy<float>(path, {static_cast<const float*>(memory.patterns().data), count},
                            shape);
    return;
  }
  const std::vector<double> numbers = store::pattern_source(memory).rows(0, shape[0]);
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

int run_export(const ExportArguments& a, const Context& context) {
  const auto ends_with = [&a](std::string_view end) { return a.output.ends_with(end); };
  const bool npy = ends_with(".npy"), csv = ends_with(".csv"), tsv = ends_with(".tsv");
  require(npy || csv || tsv || ends_with(".safetensors"), "--output",
          "expected a name that ends in .npy, .csv, .tsv or .safetensors, got '" + a.output + "'");
  require(npy || a.ids.empty(), "--ids",
          "expected an output that ends in .npy, got '" + a.output +
              "', which holds the names itself; leave --ids out");
  check_new_output(a.output, {a.memory}, a.force);
  if (!a.ids.empty()) check_new_output(a.ids, {a.memory, a.output}, a.force);
  const IfExists if_exists = a.force ? IfExists::kReplace : IfExists::kRefuse;
  const store::MemoryFile memory(a.memory);
  memory.verify();
  if (npy) {
    export_npy(memory, a.output);
  } else if (csv || tsv) {
    export_table(memory, a.output, csv ? ',' : '\t', if_exists, context);
  } else {
    store::CreateMemoryOptions options;
    options.dtype = memory.dtype();
    std::vector<std::string> ids;
    if (memory.has_ids()) ids = memory.ids();
    options.ids = ids;
    options.next_number = memory.next_number();
    options.if_exists = if_exists;
    options.cancelled = context.cancelled;
    store::create_memory(a.output, store::pattern_source(memory), options);
  }
  if (!a.ids.empty()) {
    std::string lines;
    for (const std::string& id : memory.ids()) lines += id + "\n";
    atomic_write_file(a.ids, lines, if_exists);
  }
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
       "hopfield memory export memory.safetensors -o copy.safetensors"},
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
  add_force(command, a->force);
}

struct MergeArguments {
  std::vector<std::string> memories;
  std::string output;
  bool rename = false, force = false;
};

int run_merge(const MergeArguments& a, const Context& context) {
  check_new_output(a.output, a.memories, a.force);
  store::MergeOptions options;
  options.rename = a.rename;
  options.if_exists = a.force ? IfExists::kReplace : IfExists::kRefuse;
  options.cancelled = context.cancelled;
  store::merge_memories(a.output, a.memories, options);
  return told(a.output, "merged " + std::to_string(a.memories.size()) + " memories");
}

void add_merge(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<MergeArguments>();
  CLI::App& command = add_command(
      noun, context, "merge", "Write the patterns of several memories as a new one",
      {"hopfield memory merge memory.safetensors other.safetensors -o all.safetensors --rename"},
      [a, &context] { return run_merge(*a, context); });
  command.add_option("memories", a->memories, "Memories of one depth and type")
      ->type_name("FILE")
      ->required();
  command.add_option("-o,--output", a->output, "The memory to write")
      ->type_name("FILE")
      ->required();
  command.add_flag("--rename", a->rename,
                   "Names that several memories have get -2, -3, ...; without names all patterns "
                   "are numbered anew");
  add_force(command, a->force);
}

}  // namespace

void add_memory_changes(CLI::App& noun, Context& context) {
  add_add(noun, context);
  add_forget(noun, context);
  add_update(noun, context);
  add_compact(noun, context);
  add_export(noun, context);
  add_merge(noun, context);
}

}  // namespace hopfield::cli
