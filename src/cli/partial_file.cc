#include "cli/partial_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/base/version.h"

namespace hopfield::cli {
namespace {

constexpr const char* kFormat = "hopfield.partial";
constexpr const char* kVersion = "2";
constexpr const char* kHeaderChecksum = "crc32.header";

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

/// A file that is read, whose parts are compared with their checksums.
class PartialReader {
 public:
  explicit PartialReader(const store::SafetensorsFile& file) : file_(file) {
    const std::string& path = file_.path();
    if (!is_partial(file_)) {
      damaged(path, "expected a file that memory recall --partial wrote, got another one");
    }
    if (text("version") != kVersion) {
      fail(ErrorCode::kUnsupported, "partial",
           "'" + path + "': expected version " + kVersion + ", got '" + text("version") +
               "'; recall from its shard with this hopfield");
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

  const std::string& path() const { return file_.path(); }
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
  const store::SafetensorsFile& file_;
};

/// What was asked of which patterns.
Partial read_question(const PartialReader& reader) {
  Partial partial;
  partial.path = reader.path();
  partial.what = reader.text("what");
  partial.similarity = reader.text("similarity");
  partial.beta = reader.text("beta");
  partial.memory = reader.text("memory");
  const std::string& s = partial.similarity;
  if ((partial.what != "state" && partial.what != "values") ||
      (s != "dot" && s != "cosine" && s != "distance") || partial.memory.empty()) {
    damaged(partial.path, "expected what was asked of which memory, got '" + partial.what + "', '" +
                              s + "' and '" + partial.memory + "'");
  }
  partial.rows = reader.read<std::uint8_t>("rows", reader.shape("rows", 1));
  return partial;
}

/// Everything speaks of num_patterns patterns.
void check_counts(const Partial& partial, const ShardAnswer& answer) {
  const std::int64_t cues = answer.blocks.front().rows;
  std::int64_t rows = 0, visible = 0;
  for (const std::uint8_t bits : partial.rows) rows += std::popcount(bits);
  for (const Partials<float>& block : answer.blocks) {
    for (const std::int64_t count : block.visible) {
      if (count < 1 || count > AssociateOptions().block_size) {
        damaged(partial.path,
                "tensor 'visible': expected the patterns of a block, got " + std::to_string(count));
      }
      visible += count;
    }
  }
  if (rows == answer.num_patterns && visible == answer.num_patterns * cues) return;
  damaged(partial.path, "expected rows and blocks of " + std::to_string(answer.num_patterns) +
                            " patterns, got others");
}

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

}  // namespace

void add_row(std::vector<std::uint8_t>& rows, std::int64_t position) {
  const auto at = static_cast<std::size_t>(position / 8);
  if (at >= rows.size()) rows.resize(at + 1);
  rows[at] = static_cast<std::uint8_t>(rows[at] | 1u << (position % 8));
}

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
  tensors.add("rows", {std::ssize(partial.rows)}, partial.rows);
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
      {"version", kVersion},
      {"generator", "hopfield " + std::string(version())},
      {"what", partial.what},
      {"similarity", partial.similarity},
      {"beta", partial.beta},
      {"num_patterns", std::to_string(answer.num_patterns)},
      {"memory", partial.memory},
      {kHeaderChecksum, "00000000"}};
  for (const store::TensorData& tensor : tensors.list()) {
    metadata["crc32." + tensor.name] = store::crc32_text(store::crc32(tensor.data));
  }
  store::write_safetensors(partial.path, tensors.list(), metadata,
                           {IfExists::kReplace, kHeaderChecksum});
}

bool is_partial(const store::SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  return format != file.metadata().end() && format->second == kFormat;
}

Partial read_partial(const store::SafetensorsFile& file, ShardAnswer& answer) {
  const PartialReader reader(file);
  const std::string& path = file.path();
  Partial partial = read_question(reader);
  answer.beta = reader.number<double>("beta");
  answer.num_patterns = reader.number<std::int64_t>("num_patterns");
  // No dimension of this tensor may be 0, so the file's size bounds both.
  const std::int64_t num = reader.shape("max", 2)[0], cues = reader.shape("max", 2)[1];
  const std::int64_t readout_depth = reader.shape("acc", 3)[2];
  answer.depth = reader.shape("states", 2)[1];
  answer.num_top = reader.shape("top.index", 2)[1];
  if (num < 1 || cues < 1 || readout_depth < 1 || answer.depth < 1 || answer.num_top < 1 ||
      answer.num_patterns < answer.num_top ||
      answer.num_patterns > num * AssociateOptions().block_size || !(answer.beta > 0) ||
      !std::isfinite(answer.beta)) {
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
  check_counts(partial, answer);
  read_top(reader, cues, partial, answer);
  return partial;
}

}  // namespace hopfield::cli
