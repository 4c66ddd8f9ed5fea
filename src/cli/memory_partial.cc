#include "cli/memory_partial.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <sstream>
#include <utility>

#include "cli/memory_recall_output.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/shards.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::cli {
namespace {

constexpr const char* kFormat = "hopfield.partial";
constexpr const char* kHeaderChecksum = "crc32.header";

/// What a file holds beside a ShardAnswer.
struct Partial {
  std::string path, what, similarity;
  std::vector<std::string> top_ids;  ///< [cues, num_top], or empty for a shard without names
};

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  fail(ErrorCode::kCorruptData, "partial", "'" + path + "': " + what);
}

/// The numbers of all blocks, one block after the other.
template <class T>
std::vector<T> joined(const std::vector<Partials<float>>& blocks,
                      std::vector<T> Partials<float>::*member) {
  std::vector<T> all;
  for (const Partials<float>& block : blocks) {
    all.insert(all.end(), (block.*member).begin(), (block.*member).end());
  }
  return all;
}

/// The tensors of a file, with what they look at.
class Tensors {
 public:
  template <class T>
  void add(const std::string& name, std::vector<std::int64_t> shape, std::vector<T> data) {
    const auto kept = std::make_shared<std::vector<T>>(std::move(data));
    kept_.push_back(kept);
    list_.push_back(store::tensor_data<T>(name, std::move(shape), *kept));
  }
  const std::vector<store::TensorData>& list() const { return list_; }

 private:
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<store::TensorData> list_;
};

void write_partial(const Partial& partial, const ShardAnswer& answer) {
  const std::vector<Partials<float>>& blocks = answer.blocks;
  const std::int64_t cues = blocks.front().rows, depth = blocks.front().depth,
                     num = std::ssize(blocks);
  Tensors tensors;
  tensors.add("states", {cues, answer.depth}, answer.states);
  tensors.add("acc", {num, cues, depth}, joined(blocks, &Partials<float>::acc));
  tensors.add("max", {num, cues}, joined(blocks, &Partials<float>::max));
  tensors.add("sum", {num, cues}, joined(blocks, &Partials<float>::sum));
  tensors.add("moment", {num, cues}, joined(blocks, &Partials<float>::moment));
  tensors.add("max_square_norm", {num, cues}, joined(blocks, &Partials<float>::max_square_norm));
  tensors.add("visible", {num, cues}, joined(blocks, &Partials<float>::visible));
  tensors.add("top.index", {cues, answer.num_top}, answer.top_index);
  tensors.add("top.similarity", {cues, answer.num_top}, answer.top_similarity);
  if (!partial.top_ids.empty()) {
    std::vector<std::uint8_t> bytes;
    std::vector<std::int64_t> offsets = {0};
    for (const std::string& id : partial.top_ids) {
      bytes.insert(bytes.end(), id.begin(), id.end());
      offsets.push_back(std::ssize(bytes));
    }
    tensors.add("top.ids.bytes", {std::ssize(bytes)}, bytes);
    tensors.add("top.ids.offsets", {std::ssize(offsets)}, offsets);
  }
  std::map<std::string, std::string> metadata = {
      {"format", kFormat},
      {"version", "1"},
      {"generator", "hopfield " + std::string(version())},
      {"what", partial.what},
      {"similarity", partial.similarity},
      {"beta", csv_number(answer.beta)},
      {"num_patterns", csv_number(answer.num_patterns)},
      {kHeaderChecksum, "00000000"}};
  for (const store::TensorData& tensor : tensors.list()) {
    metadata["crc32." + tensor.name] = store::crc32_text(store::crc32(tensor.data));
  }
  store::write_safetensors(partial.path, tensors.list(), metadata,
                           {IfExists::kReplace, kHeaderChecksum});
}

/// A file that is read, whose parts are compared with their checksums.
class PartialReader {
 public:
  explicit PartialReader(const std::string& path) : file_(path) {
    if (text("format") != kFormat) {
      damaged(path, "expected a file that memory recall --partial wrote, got another one");
    }
    if (text("version") != "1") {
      fail(ErrorCode::kUnsupported, "partial",
           "'" + path + "': expected version 1, got '" + text("version") + "'");
    }
    if (!store::header_checksum_matches(file_, kHeaderChecksum)) {
      damaged(path, "expected a header that fits its checksum, got another one");
    }
  }

  std::string text(const std::string& key) const {
    const auto found = file_.metadata().find(key);
    return found == file_.metadata().end() ? std::string() : found->second;
  }
  template <class T>
  T number(const std::string& key) const {
    const std::string digits = text(key);
    T value{};
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end) {
      damaged(file_.path(), "expected a number '" + key + "', got '" + digits + "'");
    }
    return value;
  }

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  const std::vector<std::int64_t>& shape(const std::string& name, std::size_t dimensions) const {
    const store::TensorEntry& entry = file_.at(name);
    if (entry.shape.size() != dimensions) {
      damaged(file_.path(), "tensor '" + name + "': expected " + std::to_string(dimensions) +
                                " dimensions, got " + store::shape_text(entry.shape));
    }
    return entry.shape;
  }

  template <class T>
  std::vector<T> read(const std::string& name, const std::vector<std::int64_t>& wanted) const {
    const store::TensorEntry& entry = file_.at(name);
    if (entry.shape != wanted) {
      damaged(file_.path(), "tensor '" + name + "': expected shape " + store::shape_text(wanted) +
                                ", got " + store::shape_text(entry.shape));
    }
    if (store::crc32_text(store::crc32(file_.bytes(entry))) != text("crc32." + name)) {
      damaged(file_.path(), "tensor '" + name + "' does not fit its checksum");
    }
    return file_.read<T>(entry);
  }

  /// read, cut into the blocks.
  template <class T>
  void read_blocks(const std::string& name, const std::vector<std::int64_t>& wanted,
                   std::vector<T> Partials<float>::*member,
                   std::vector<Partials<float>>& blocks) const {
    const std::vector<T> all = read<T>(name, wanted);
    const std::size_t size = all.size() / blocks.size();
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(b * size);
      (blocks[b].*member).assign(first, first + static_cast<std::ptrdiff_t>(size));
    }
  }

 private:
  store::SafetensorsFile file_;
};

/// The largest associations and the names of their patterns.
void read_top(const PartialReader& reader, std::int64_t cues, Partial& partial,
              ShardAnswer& answer) {
  answer.top_index = reader.read<std::int64_t>("top.index", {cues, answer.num_top});
  answer.top_similarity = reader.read<double>("top.similarity", {cues, answer.num_top});
  const bool told = std::all_of(answer.top_index.begin(), answer.top_index.end(),
                                [&answer](std::int64_t index) {
                                  return index >= 0 && index < answer.num_patterns;
                                }) &&
                    std::all_of(answer.top_similarity.begin(), answer.top_similarity.end(),
                                [](double similarity) { return std::isfinite(similarity); });
  if (!told)
    damaged(partial.path, "expected patterns of the shard and finite similarities, got others");
  if (!reader.has("top.ids.bytes")) return;
  const std::vector<std::int64_t> offsets =
      reader.read<std::int64_t>("top.ids.offsets", {cues * answer.num_top + 1});
  const std::vector<std::uint8_t> bytes =
      reader.read<std::uint8_t>("top.ids.bytes", reader.shape("top.ids.bytes", 1));
  if (!std::is_sorted(offsets.begin(), offsets.end()) || offsets.front() != 0 ||
      offsets.back() != std::ssize(bytes)) {
    damaged(partial.path,
            "tensor 'top.ids.offsets': expected ascending offsets of the names, got others");
  }
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    partial.top_ids.emplace_back(bytes.begin() + offsets[i], bytes.begin() + offsets[i + 1]);
  }
}

Partial read_partial(const std::string& path, ShardAnswer& answer) {
  const PartialReader reader(path);
  Partial partial{path, reader.text("what"), reader.text("similarity"), {}};
  answer.beta = reader.number<double>("beta");
  answer.num_patterns = reader.number<std::int64_t>("num_patterns");
  answer.similarity = parse_similarity(partial.similarity);
  // No dimension of this tensor may be 0, so the file's size bounds both.
  const std::int64_t num = reader.shape("max", 2)[0], cues = reader.shape("max", 2)[1];
  const std::int64_t readout_depth = reader.shape("acc", 3)[2];
  answer.depth = reader.shape("states", 2)[1];
  answer.num_top = reader.shape("top.index", 2)[1];
  if (num < 1 || cues < 1 || readout_depth < 1 || answer.depth < 1 || answer.num_top < 1 ||
      answer.num_patterns < answer.num_top ||
      answer.num_patterns > num * AssociateOptions().block_size || !(answer.beta > 0)) {
    damaged(path, "expected cues, blocks of patterns, associations and beta > 0, got others");
  }
  answer.states = reader.read<float>("states", {cues, answer.depth});
  Partials<float> empty;
  empty.rows = cues;
  empty.heads = 1;
  empty.depth = readout_depth;
  empty.largest_index.assign(static_cast<std::size_t>(cues), -1);  // the k largest tell it
  std::vector<Partials<float>>& blocks = answer.blocks;
  blocks.assign(static_cast<std::size_t>(num), empty);
  reader.read_blocks("acc", {num, cues, readout_depth}, &Partials<float>::acc, blocks);
  reader.read_blocks("max", {num, cues}, &Partials<float>::max, blocks);
  reader.read_blocks("sum", {num, cues}, &Partials<float>::sum, blocks);
  reader.read_blocks("moment", {num, cues}, &Partials<float>::moment, blocks);
  reader.read_blocks("max_square_norm", {num, cues}, &Partials<float>::max_square_norm, blocks);
  reader.read_blocks("visible", {num, cues}, &Partials<float>::visible, blocks);
  read_top(reader, cues, partial, answer);
  return partial;
}

/// Both were asked the same.
void require_alike(const Partial& a, const ShardAnswer& x, const Partial& b, const ShardAnswer& y) {
  const auto same = [&](const std::string& what, const std::string& in_a, const std::string& in_b) {
    if (in_a == in_b) return;
    fail(ErrorCode::kCorruptData, "partial",
         "expected '" + a.path + "' and '" + b.path + "' to be asked with the same " + what +
             ", got " + in_a + " and " + in_b + "; recall from both shards anew");
  };
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  same("depth", number(x.depth), number(y.depth));
  same("beta", csv_number(x.beta), csv_number(y.beta));
  same("similarity", a.similarity, b.similarity);
  same("readout", a.what, b.what);
  same("depth of the readout", number(x.blocks.front().depth), number(y.blocks.front().depth));
  same("number of cues", number(x.blocks.front().rows), number(y.blocks.front().rows));
  same("cues", "some", x.states == y.states ? "some" : "others");
}

RecallHead head_of(const MergePartialsArguments& a, const Partial& file, const ShardAnswer& asked,
                   const WholeAnswer& whole) {
  RecallHead head;
  head.what = file.what;
  head.readout_depth = asked.blocks.front().depth;
  head.num_top = whole.num_top;
  head.output = a.output;
  head.json_path = a.json;
  head.json = {{"merged", a.partials},
               {"num_patterns", whole.num_patterns},
               {"depth", asked.depth},
               {"what", file.what},
               {"similarity", file.similarity},
               {"beta", asked.beta},
               {"updates", 1},
               {"hopfield", version()}};
  std::ostringstream text;
  text << std::setprecision(4) << "merged   " << a.partials.size()
       << " partial results: " << whole.num_patterns << " patterns of depth " << asked.depth << "\n"
       << "beta     " << asked.beta
       << (asked.similarity == Similarity::kDot ? "" : ", similarity " + file.similarity) << "\n"
       << "updates  1\n";
  head.text = text.str();
  return head;
}

/// The name of the pattern that a shard calls `index`, among the largest of cue t.
const std::string& id_of(const Partial& file, const ShardAnswer& shard, std::int64_t t,
                         std::int64_t index) {
  const auto first = shard.top_index.begin() + t * shard.num_top;
  const auto at = std::find(first, first + shard.num_top, index);
  return file.top_ids[static_cast<std::size_t>(at - shard.top_index.begin())];
}

std::vector<RecallAnswer> answers_of(const std::vector<Partial>& files,
                                     const std::vector<ShardAnswer>& shards,
                                     const WholeAnswer& whole) {
  std::vector<std::int64_t> patterns_before = {0};
  for (const ShardAnswer& shard : shards) {
    patterns_before.push_back(patterns_before.back() + shard.num_patterns);
  }
  const auto depth = static_cast<std::size_t>(shards.front().blocks.front().depth);
  const auto num_top = static_cast<std::size_t>(whole.num_top);
  std::vector<RecallAnswer> answers;
  for (std::size_t i = 0; i < whole.lse.size(); ++i) {
    RecallAnswer answer;
    answer.cue = static_cast<std::int64_t>(i);
    answer.updates = 1;
    answer.stop = reason_name(StopReason::kStepLimit);
    if (!whole.energy.empty()) answer.energy = short_number(whole.energy[i]);
    answer.energy_cue = answer.energy;  // the only association was that of the cue itself
    answer.lse = short_number(whole.lse[i]);
    answer.entropy = short_number(whole.entropy[i]);
    if (whole.metastable_size[i] >= 0) {
      answer.metastable_size = whole.metastable_size[i];
      answer.regime = regime_name(regime(whole.metastable_size[i], whole.num_patterns));
    }
    for (std::size_t j = i * num_top; j < (i + 1) * num_top; ++j) {
      const auto shard = static_cast<std::size_t>(whole.top_shard[j]);
      const std::int64_t index = patterns_before[shard] + whole.top_index[j];
      answer.top.push_back({files[shard].top_ids.empty() ? std::to_string(index)
                                                         : id_of(files[shard], shards[shard],
                                                                 answer.cue, whole.top_index[j]),
                            index,
                            short_number(static_cast<float>(whole.top_weight[j])),
                            {}});
    }
    answer.readout = std::span(whole.state).subspan(i * depth, depth);
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace

int run_partial(const RecallArguments& a, const Context& context) {
  const double beta = parse_beta(a.beta.beta);
  require(a.output.empty() && a.json.empty(), "--partial",
          "expected neither --output nor --json, which are for memory merge, got one of them");
  require(a.threshold.empty(), "--partial",
          "expected no --threshold, which belongs to the energies of a whole memory, got one");
  require(a.updates == "1", "--partial",
          "expected --updates 1, got " + a.updates +
              "; the states that memory merge writes are the cues of the next update");
  require(beta > 0, "--partial", "expected a number as --beta, the same for all shards, got auto");
  check_output(a.partial, {a.paths.memory, a.paths.cue});
  const store::MemoryFile memory = open_memory(a.paths.memory, a.paths.where);
  const bool values = reads_values(a, memory);
  if (a.verify) memory.verify();
  std::vector<float> states;
  for_cue_batches(open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor), "reading",
                  context, [&states](std::int64_t, const PatternView& batch) {
                    const auto* numbers = static_cast<const float*>(batch.data);
                    states.insert(states.end(), numbers, numbers + batch.rows * batch.depth);
                  });
  SearchOptions options;
  options.similarity = parse_similarity(a.similarity);
  options.num_top = a.top;
  options.executor = context.stoppable_executor.get();
  const std::int64_t num_cues = std::ssize(states) / memory.depth();
  if (num_cues == 0) damaged(a.paths.cue, "expected at least one cue, got none");
  const ShardAnswer answer =
      ask_shard(memory.patterns(), values ? memory.values() : PatternView(),
                pattern_view(states.data(), num_cues, memory.depth()), beta, options);
  Partial partial{a.partial, values ? "values" : "state", a.similarity, {}};
  if (memory.has_ids()) {
    for (const std::int64_t index : answer.top_index) partial.top_ids.push_back(memory.id(index));
  }
  write_partial(partial, answer);
  std::cout << a.partial << ": " << num_cues << " cues, " << memory.num_patterns()
            << " patterns of depth " << memory.depth() << ", " << answer.num_top
            << " largest associations a cue\n";
  return kOk;
}

bool is_partial(const std::string& path) {
  try {
    const store::SafetensorsFile file(path, store::Tail::kAllow);
    const auto format = file.metadata().find("format");
    return format != file.metadata().end() && format->second == kFormat;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    return false;  // whoever reads it as a memory says what is wrong
  }
}

int run_merge_partials(const MergePartialsArguments& a) {
  check_recall_output(a.output, a.json, a.partials);
  std::vector<Partial> files;
  std::vector<ShardAnswer> shards;
  for (const std::string& path : a.partials) {
    files.push_back(read_partial(path, shards.emplace_back()));
    require_alike(files.front(), shards.front(), files.back(), shards.back());
  }
  const std::int64_t known = known_top(shards);
  const WholeAnswer whole = merge_shards(shards, std::min(a.top, known));
  if (whole.num_top < std::min(a.top, whole.num_patterns)) {
    note("the shards tell " + std::to_string(known) + " of the " + std::to_string(a.top) +
         " largest associations that --top wants; recall with --top " + std::to_string(a.top));
  }
  RecallOutput output(head_of(a, files.front(), shards.front(), whole));
  output.add(answers_of(files, shards, whole), whole.state);
  output.finish(nullptr);
  return kOk;
}

}  // namespace hopfield::cli
