#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "hopfield/base/error.h"
#include "hopfield/store/safetensors.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace {

constexpr std::uint64_t kHeaderBytesMax = 100'000'000;
constexpr std::string_view kOp = "safetensors";

struct TypeRow {
  TensorType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr TypeRow kTypes[] = {
    {TensorType::kBool, "BOOL", 1}, {TensorType::kU8, "U8", 1},   {TensorType::kI8, "I8", 1},
    {TensorType::kU16, "U16", 2},   {TensorType::kI16, "I16", 2}, {TensorType::kF16, "F16", 2},
    {TensorType::kBF16, "BF16", 2}, {TensorType::kU32, "U32", 4}, {TensorType::kI32, "I32", 4},
    {TensorType::kF32, "F32", 4},   {TensorType::kU64, "U64", 8}, {TensorType::kI64, "I64", 8},
    {TensorType::kF64, "F64", 8},
};

const TypeRow& row_of(TensorType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

/// Listens to the JSON parser and accepts nothing but the shape a safetensors header must have. No
/// tree is built, so memory stays below a small multiple of the header's length.
class HeaderListener {
 public:
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;
  std::string error;

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(std::int64_t) { return refuse("a negative number"); }
  bool number_float(double, const std::string&) { return refuse("a fraction"); }
  template <class Binary>
  bool binary(Binary&) {
    return refuse("binary data");
  }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return stop(tensor() + " expected sizes below 2^63, got " + std::to_string(value));
      }
      tensors.back().shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (num_offsets_ == 2) return stop(tensor() + " expected two data_offsets, got more");
      offsets_[num_offsets_++] = value;
      return true;
    }
    return refuse("a number");
  }

  bool string(std::string& value) {
    if (place_ == Place::kMetadataValue) {
      metadata[key_] = std::move(value);
      place_ = Place::kMetadata;
      return true;
    }
    if (place_ == Place::kType) {
      for (const TypeRow& row : kTypes) {
        if (row.name != value) continue;
        tensors.back().type = row.type;
        place_ = Place::kTensor;
        return true;
      }
      return stop(tensor() + " expected a type such as F32, got '" + value.substr(0, 40) + "'");
    }
    return refuse("text");
  }

  bool start_object(std::size_t) {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTopMetadata) {
      place_ = Place::kMetadata;
    } else if (place_ == Place::kTopTensor) {
      place_ = Place::kTensor;
      has_type_ = has_shape_ = has_offsets_ = false;
    } else {
      return refuse("an object");
    }
    return true;
  }

  bool key(std::string& name) {
    if (place_ == Place::kTop) {
      if (name == "__metadata__") {
        if (has_metadata_) return stop("expected one __metadata__, got two");
        has_metadata_ = true;
        place_ = Place::kTopMetadata;
      } else {
        tensors.push_back({});
        tensors.back().name = std::move(name);
        place_ = Place::kTopTensor;
      }
      return true;
    }
    if (place_ == Place::kMetadata) {
      if (metadata.count(name) != 0) {
        return stop("expected each key of __metadata__ once, got '" + name.substr(0, 80) +
                    "' twice");
      }
      key_ = std::move(name);
      place_ = Place::kMetadataValue;
      return true;
    }
    if (name == "dtype") return field(has_type_, Place::kType, name);
    if (name == "shape") return field(has_shape_, Place::kShapeStart, name);
    if (name == "data_offsets") return field(has_offsets_, Place::kOffsetsStart, name);
    return stop(tensor() + " expected dtype, shape and data_offsets, got '" + name.substr(0, 80) +
                "'");
  }

  bool start_array(std::size_t) {
    if (place_ == Place::kShapeStart) {
      place_ = Place::kShape;
    } else if (place_ == Place::kOffsetsStart) {
      place_ = Place::kOffsets;
      num_offsets_ = 0;
    } else {
      return refuse("a list");
    }
    return true;
  }

  bool end_array() {
    if (place_ == Place::kOffsets && num_offsets_ != 2) {
      return stop(tensor() + " expected two data_offsets, got " + std::to_string(num_offsets_));
    }
    place_ = Place::kTensor;
    return true;
  }

  bool end_object() {
    if (place_ == Place::kTensor) {
      if (!has_type_ || !has_shape_ || !has_offsets_) {
        return stop(tensor() + " expected dtype, shape and data_offsets, one is missing");
      }
      TensorEntry& entry = tensors.back();
      if (offsets_[0] > offsets_[1]) {
        return stop(tensor() + " expected ascending data_offsets, got " +
                    std::to_string(offsets_[0]) + " and " + std::to_string(offsets_[1]));
      }
      entry.offset = offsets_[0];
      entry.num_bytes = offsets_[1] - offsets_[0];
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    return stop("expected JSON in the header, got something else at its byte " +
                std::to_string(position));
  }

 private:
  enum class Place : std::uint8_t {
    kStart,
    kTop,
    kTopMetadata,
    kMetadata,
    kMetadataValue,
    kTopTensor,
    kTensor,
    kType,
    kShapeStart,
    kShape,
    kOffsetsStart,
    kOffsets,
    kEnd,
  };

  std::string tensor() const { return "tensor '" + tensors.back().name.substr(0, 200) + "':"; }

  bool stop(std::string message) {
    if (error.empty()) error = std::move(message);
    return false;
  }

  bool refuse(std::string_view what) {
    return stop(
        (place_ == Place::kStart || tensors.empty() ? std::string("the header:") : tensor()) +
        " expected the layout of a safetensors header, got " + std::string(what));
  }

  bool field(bool& seen, Place next, const std::string& name) {
    if (seen) return stop(tensor() + " expected " + name + " once, got it twice");
    seen = true;
    place_ = next;
    return true;
  }

  Place place_ = Place::kStart;
  std::string key_;
  bool has_metadata_ = false, has_type_ = false, has_shape_ = false, has_offsets_ = false;
  std::uint64_t offsets_[2] = {0, 0};
  int num_offsets_ = 0;
};

[[noreturn]] void corrupt(const std::string& path, const std::string& message) {
  fail(ErrorCode::kCorruptData, kOp, "'" + path + "': " + message);
}

/// Number of bytes a shape takes; false if that does not fit 64 bits.
bool shape_bytes(std::span<const std::int64_t> shape, std::size_t element, std::uint64_t& bytes) {
  bytes = element;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
      return false;
    }
  }
  return bytes <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

std::size_t tensor_type_bytes(TensorType type) {
  return row_of(type).bytes;
}
std::string_view tensor_type_name(TensorType type) {
  return row_of(type).name;
}

TensorType tensor_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return TensorType::kF32;
    case DType::kF64:
      return TensorType::kF64;
    case DType::kBF16:
      return TensorType::kBF16;
    case DType::kF16:
      return TensorType::kF16;
    case DType::kI8:
      return TensorType::kI8;
  }
  return TensorType::kF32;
}

std::optional<DType> float_dtype(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return DType::kF32;
    case TensorType::kF64:
      return DType::kF64;
    case TensorType::kBF16:
      return DType::kBF16;
    case TensorType::kF16:
      return DType::kF16;
    default:
      return std::nullopt;
  }
}

std::int64_t TensorEntry::num_elements() const {
  return static_cast<std::int64_t>(num_bytes / tensor_type_bytes(type));
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

SafetensorsFile::SafetensorsFile(const std::string& path, Tail tail)
    : path_(path), file_(std::in_place, path) {
  parse(file_->bytes(), tail);
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string origin, Tail tail)
    : path_(std::move(origin)) {
  parse(bytes, tail);
}

void SafetensorsFile::parse(std::span<const std::byte> file, Tail tail) {
  if (file.size() < 8) {
    corrupt(path_, "expected a safetensors file, got only " + std::to_string(file.size()) +
                       " bytes; it may be truncated");
  }
  std::uint64_t header_bytes = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    header_bytes |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (header_bytes > kHeaderBytesMax) {
    corrupt(path_, "expected a safetensors file, whose header has at most " +
                       std::to_string(kHeaderBytesMax) + " bytes, got " +
                       std::to_string(header_bytes) + "; is it another kind of file?");
  }
  if (header_bytes > file.size() - 8) {
    corrupt(path_, "expected a header of " + std::to_string(header_bytes) + " bytes, got " +
                       std::to_string(file.size() - 8) + "; it may be truncated");
  }
  header_ = file.subspan(8, static_cast<std::size_t>(header_bytes));
  bytes_ = file.subspan(8 + static_cast<std::size_t>(header_bytes));
  const auto* text = reinterpret_cast<const char*>(header_.data());
  if (header_.empty() || text[0] != '{') {
    corrupt(path_, "expected a JSON object as the header; is it another kind of file?");
  }
  HeaderListener listener;
  if (!nlohmann::json::sax_parse(text, text + header_.size(), &listener)) {
    corrupt(path_, listener.error);
  }
  metadata_ = std::move(listener.metadata);
  tensors_ = std::move(listener.tensors);

  const std::uint64_t size = bytes_.size();
  for (const TensorEntry& entry : tensors_) {
    const std::string tensor = "tensor '" + entry.name + "': ";
    if (entry.offset > size || entry.num_bytes > size - entry.offset) {
      corrupt(path_, tensor + "expected bytes inside the file's " + std::to_string(size) +
                         ", got offset " + std::to_string(entry.offset) + " and length " +
                         std::to_string(entry.num_bytes) + "; the file may be truncated");
    }
    std::uint64_t expected = 0;
    if (!shape_bytes(entry.shape, tensor_type_bytes(entry.type), expected)) {
      corrupt(path_, tensor + "expected a shape that fits 64 bits, got " + shape_text(entry.shape));
    }
    if (expected != entry.num_bytes) {
      corrupt(path_, tensor + "expected " + std::to_string(expected) + " bytes for shape " +
                         shape_text(entry.shape) + " of " +
                         std::string(tensor_type_name(entry.type)) + ", got " +
                         std::to_string(entry.num_bytes));
    }
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    if (a.offset != b.offset) return a.offset < b.offset;
    if (a.num_bytes != b.num_bytes) return a.num_bytes < b.num_bytes;
    return a.name < b.name;
  });
  std::uint64_t end = 0;
  for (const TensorEntry& entry : tensors_) {
    if (entry.offset != end) {
      corrupt(path_, "tensor '" + entry.name + "': expected to start at byte " +
                         std::to_string(end) + ", where its neighbour ends, got " +
                         std::to_string(entry.offset) + "; tensors may not overlap or leave gaps");
    }
    end += entry.num_bytes;
  }
  if (end != size && tail == Tail::kRefuse) {
    corrupt(path_,
            "expected " + std::to_string(end) + " bytes of tensors, got " + std::to_string(size));
  }
  tail_ = bytes_.subspan(static_cast<std::size_t>(end));
  bytes_ = bytes_.first(static_cast<std::size_t>(end));
  const std::uint64_t start = 8 + header_bytes;
  by_name_.resize(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].offset += start;
    by_name_[i] = i;
  }
  std::sort(by_name_.begin(), by_name_.end(),
            [this](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
  for (std::size_t i = 1; i < by_name_.size(); ++i) {
    const std::string& name = tensors_[by_name_[i]].name;
    if (name == tensors_[by_name_[i - 1]].name) {
      corrupt(path_, "expected each tensor once, got '" + name + "' twice");
    }
  }
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [this](std::size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (it == by_name_.end() || tensors_[*it].name != name) return nullptr;
  return &tensors_[*it];
}

const TensorEntry& SafetensorsFile::at(std::string_view name) const {
  const TensorEntry* entry = find(name);
  if (entry != nullptr) return *entry;
  std::string have;
  for (std::size_t i = 0; i < tensors_.size() && i < 12; ++i) {
    have += (i > 0 ? ", '" : "'") + tensors_[i].name + "'";
  }
  if (tensors_.size() > 12) have += ", ...";
  corrupt(path_, "expected a tensor '" + std::string(name) + "', got " +
                     (have.empty() ? "none" : "only " + have));
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorEntry& entry) const {
  const std::uint64_t start = 8 + header_.size();
  HOPFIELD_CHECK(entry.offset >= start && entry.offset - start <= bytes_.size() &&
                 entry.num_bytes <= bytes_.size() - (entry.offset - start));
  return bytes_.subspan(static_cast<std::size_t>(entry.offset - start),
                        static_cast<std::size_t>(entry.num_bytes));
}

template <class T>
std::vector<T> SafetensorsFile::read_part(const TensorEntry& entry, std::int64_t first,
                                          std::int64_t count) const {
  if (!internal::holds_exactly<T>(entry.type)) {
    corrupt(path_, "tensor '" + entry.name + "': expected numbers that fit " +
                       std::string(internal::wanted_name<T>()) + ", got " +
                       std::string(tensor_type_name(entry.type)));
  }
  const std::int64_t all = entry.num_elements();
  require(first >= 0 && first <= all && count >= 0 && count <= all - first, "safetensors",
          "expected a part of the " + std::to_string(all) + " numbers of tensor '" + entry.name +
              "', got " + std::to_string(count) + " from " + std::to_string(first));
  std::vector<T> out(static_cast<std::size_t>(count));
  const std::span<const std::byte> raw = bytes(entry);
  const std::size_t element_bytes = all == 0 ? 0 : raw.size() / static_cast<std::size_t>(all);
  internal::convert(raw.subspan(static_cast<std::size_t>(first) * element_bytes), entry.type,
                    out.data(), count);
  return out;
}

template std::vector<float> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                       std::int64_t) const;
template std::vector<double> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                        std::int64_t) const;
template std::vector<std::int64_t> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                              std::int64_t) const;
template std::vector<std::int32_t> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                              std::int64_t) const;
template std::vector<std::uint8_t> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                              std::int64_t) const;
template std::vector<BF16> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                      std::int64_t) const;
template std::vector<F16> SafetensorsFile::read_part(const TensorEntry&, std::int64_t,
                                                     std::int64_t) const;

}  // namespace hopfield::store
