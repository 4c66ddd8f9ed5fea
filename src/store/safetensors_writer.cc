#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "write_safetensors";
constexpr std::string_view kNoChecksum = "00000000";
constexpr std::size_t kAlignment = 64;

bool aligned_in_order(const std::vector<TensorEntry>& tensors) {
  std::uint64_t offset = 0;
  for (const TensorEntry& entry : tensors) {
    if (entry.num_bytes > 0 && offset % tensor_type_bytes(entry.type) != 0) return false;
    offset += entry.num_bytes;
  }
  return true;
}

/// Where the value of metadata[key] stands in the header, as 8 characters; npos if it does not.
std::size_t checksum_position(std::string_view header, std::string_view key,
                              std::string_view value) {
  const std::string pair = nlohmann::json(key).dump() + ":\"" + std::string(value) + "\"";
  const std::size_t at = header.find(pair);
  return at == std::string_view::npos ? at : at + pair.size() - 1 - value.size();
}

std::uint32_t header_crc(std::string header, std::size_t position) {
  header.replace(position, kNoChecksum.size(), kNoChecksum);
  return crc32(std::as_bytes(std::span<const char>(header.data(), header.size())));
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t crc) {
  if (bytes.empty()) return crc;
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string crc32_text(std::uint32_t crc) {
  std::string text(8, '0');
  for (std::size_t i = 8; i-- > 0; crc >>= 4) text[i] = "0123456789abcdef"[crc & 15u];
  return text;
}

struct SafetensorsWriter::State {
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
  std::string checksum_key;
  std::string header;  // length and padding included
  bool header_stale = false;
  std::uint64_t body_bytes = 0;
  std::vector<std::uint64_t> written;  // of each tensor
  std::size_t next = 0;                // the tensor that bytes without a name go to
  AtomicFile file;

  State(const std::string& path, const SafetensorsWriteOptions& options)
      : checksum_key(options.checksum_key), file(path, options.if_exists) {}

  void lay_out();
  std::string make_header() const;
  void append(std::size_t tensor, std::span<const std::byte> bytes) {
    file.write_at(tensors[tensor].offset + written[tensor], bytes);
    written[tensor] += bytes.size();
  }
};

void SafetensorsWriter::State::lay_out() {
  std::set<std::string_view> names;
  for (TensorEntry& entry : tensors) {
    require(!entry.name.empty() && entry.name != "__metadata__", kOp,
            "expected a tensor name, got '" + entry.name + "'");
    require(names.insert(entry.name).second, kOp,
            "expected each tensor once, got '" + entry.name + "' twice");
    std::uint64_t bytes = tensor_type_bytes(entry.type);
    bool fits = true;
    for (const std::int64_t size : entry.shape) {
      fits = fits && size >= 0 &&
             !__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
    }
    fits = fits && !__builtin_add_overflow(body_bytes, bytes, &body_bytes) &&
           body_bytes <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    require(fits, kOp,
            "tensor '" + entry.name + "': expected a shape of sizes >= 0 that fits 64 bits, got " +
                shape_text(entry.shape));
    entry.num_bytes = bytes;
  }
  if (!aligned_in_order(tensors)) {
    std::stable_sort(tensors.begin(), tensors.end(),
                     [](const TensorEntry& a, const TensorEntry& b) {
                       return tensor_type_bytes(a.type) > tensor_type_bytes(b.type);
                     });
  }
}

std::string SafetensorsWriter::State::make_header() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    nlohmann::ordered_json& values = json["__metadata__"] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : metadata) {
      values[key] = key == checksum_key ? std::string(kNoChecksum) : value;
    }
  }
  std::uint64_t offset = 0;
  for (const TensorEntry& entry : tensors) {
    json[entry.name] = {{"dtype", tensor_type_name(entry.type)},
                        {"shape", entry.shape},
                        {"data_offsets", {offset, offset + entry.num_bytes}}};
    offset += entry.num_bytes;
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorCode::kInvalidArgument, kOp,
         "expected names and metadata in UTF-8, got bytes that are not");
  }
  const std::size_t total = (8 + text.size() + kAlignment - 1) / kAlignment * kAlignment;
  text.resize(total - 8, ' ');
  if (!checksum_key.empty()) {
    const std::size_t position = checksum_position(text, checksum_key, kNoChecksum);
    require(position != std::string::npos, kOp,
            "expected metadata to have the checksum's key '" + checksum_key + "'");
    text.replace(position, kNoChecksum.size(), crc32_text(header_crc(text, position)));
  }
  std::string result;
  for (std::size_t i = 0; i < 8; ++i) {
    result += static_cast<char>(static_cast<unsigned char>(text.size() >> (8 * i)));
  }
  return result + text;
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorEntry> entries,
                                     std::map<std::string, std::string> metadata,
                                     const SafetensorsWriteOptions& options)
    : state_(std::make_unique<State>(path, options)) {
  State& s = *state_;
  s.tensors = std::move(entries);
  s.metadata = std::move(metadata);
  s.lay_out();
  s.header = s.make_header();
  std::uint64_t offset = s.header.size();
  for (TensorEntry& entry : s.tensors) {
    entry.offset = offset;
    offset += entry.num_bytes;
  }
  s.written.assign(s.tensors.size(), 0);
  s.file.write(s.header);
}

SafetensorsWriter::~SafetensorsWriter() = default;

const std::vector<TensorEntry>& SafetensorsWriter::tensors() const {
  return state_->tensors;
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  State& s = *state_;
  while (!bytes.empty()) {
    require(s.next < s.tensors.size(), kOp,
            "expected " + std::to_string(s.body_bytes) + " bytes of tensors, got more");
    const std::uint64_t room = s.tensors[s.next].num_bytes - s.written[s.next];
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room));
    s.append(s.next, bytes.first(count));
    bytes = bytes.subspan(count);
    if (count == room) ++s.next;
  }
}

void SafetensorsWriter::append(std::string_view tensor, std::span<const std::byte> bytes) {
  State& s = *state_;
  const auto found = std::find_if(s.tensors.begin(), s.tensors.end(),
                                  [tensor](const TensorEntry& e) { return e.name == tensor; });
  require(found != s.tensors.end(), kOp,
          "expected the name of a tensor, got '" + std::string(tensor) + "'");
  const auto i = static_cast<std::size_t>(found - s.tensors.begin());
  require(bytes.size() <= found->num_bytes - s.written[i], kOp,
          "tensor '" + found->name + "': expected " + std::to_string(found->num_bytes) +
              " bytes, got more");
  s.append(i, bytes);
}

void SafetensorsWriter::replace_metadata(std::string_view key, std::string value) {
  const auto it = state_->metadata.find(std::string(key));
  require(it != state_->metadata.end(), kOp,
          "expected a key of the metadata, got '" + std::string(key) + "'");
  it->second = std::move(value);
  state_->header_stale = true;
}

void SafetensorsWriter::commit() {
  State& s = *state_;
  const std::uint64_t written =
      std::accumulate(s.written.begin(), s.written.end(), std::uint64_t{0});
  require(written == s.body_bytes, kOp,
          "expected " + std::to_string(s.body_bytes) + " bytes of tensors, got " +
              std::to_string(written));
  if (s.header_stale) {
    std::string header = s.make_header();
    require(header.size() == s.header.size(), kOp, "expected replaced metadata of the same length");
    s.file.overwrite(0, std::as_bytes(std::span<const char>(header.data(), header.size())));
  }
  s.file.commit();
}

template <class T>
TensorData tensor_data(std::string name, std::vector<std::int64_t> shape, std::span<const T> data) {
  TensorType type;
  if constexpr (std::is_same_v<T, std::int64_t>) {
    type = TensorType::kI64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    type = TensorType::kI32;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    type = TensorType::kU8;
  } else {
    type = tensor_type(dtype_of<T>::value);
  }
  return {std::move(name), type, std::move(shape), std::as_bytes(data)};
}

template TensorData tensor_data(std::string, std::vector<std::int64_t>, std::span<const float>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>, std::span<const double>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>, std::span<const BF16>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>, std::span<const F16>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>,
                                std::span<const std::int64_t>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>,
                                std::span<const std::int32_t>);
template TensorData tensor_data(std::string, std::vector<std::int64_t>,
                                std::span<const std::uint8_t>);

void write_safetensors(const std::string& path, std::span<const TensorData> tensors,
                       const std::map<std::string, std::string>& metadata,
                       const SafetensorsWriteOptions& options) {
  std::vector<TensorEntry> entries;
  std::map<std::string_view, const TensorData*> by_name;
  for (const TensorData& tensor : tensors) {
    entries.push_back({tensor.name, tensor.type, tensor.shape, 0, 0});
    by_name[tensor.name] = &tensor;
  }
  SafetensorsWriter writer(path, std::move(entries), metadata, options);
  for (const TensorEntry& entry : writer.tensors()) {
    const TensorData& tensor = *by_name[entry.name];
    require(tensor.data.size() == entry.num_bytes, kOp,
            "tensor '" + entry.name + "': expected " + std::to_string(entry.num_bytes) +
                " bytes for shape " + shape_text(entry.shape) + ", got " +
                std::to_string(tensor.data.size()));
    writer.append(tensor.data);
  }
  writer.commit();
}

bool header_checksum_matches(const SafetensorsFile& file, std::string_view checksum_key) {
  const auto it = file.metadata().find(std::string(checksum_key));
  if (it == file.metadata().end() || it->second.size() != kNoChecksum.size()) return false;
  std::string header(reinterpret_cast<const char*>(file.header().data()), file.header().size());
  const std::size_t position = checksum_position(header, checksum_key, it->second);
  if (position == std::string::npos) return false;
  return it->second == crc32_text(header_crc(std::move(header), position));
}

}  // namespace hopfield::store
