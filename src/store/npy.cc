#include "hopfield/store/npy.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "hopfield/base/error.h"
#include "store/numbers.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "npy";
constexpr std::size_t kHeaderBytesMax = std::size_t{1} << 20;
constexpr std::size_t kDimensionsMax = 64;

static_assert(std::endian::native == std::endian::little, "numbers of files are little endian");

/// Reads the header's Python dictionary, of which the format allows only this much: text in quotes,
/// True, False, and a tuple of whole numbers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;

  void parse() {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        has_descr = true;
        skip_space();
        if (at_ < text_.size() && text_[at_] == '[') {
          fail(ErrorCode::kUnsupported, kOp,
               "'" + path_ + "': expected plain numbers, got a structured array; save one field");
        }
        descr = quoted();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        fortran_order = boolean();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        tuple();
      } else {
        corrupt("expected descr, fortran_order and shape once each, got '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) corrupt("expected the header's end, got more");
    if (!has_descr || !has_order || !has_shape) {
      corrupt("expected descr, fortran_order and shape, one is missing");
    }
  }

 private:
  [[noreturn]] void corrupt(const std::string& message) const {
    fail(ErrorCode::kCorruptData, kOp, "'" + path_ + "': " + message);
  }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) {
      corrupt(std::string("expected '") + c + "' in the header at its byte " + std::to_string(at_));
    }
  }

  std::string quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const std::size_t end =
        quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos || end - at_ > 80) {
      corrupt("expected text in quotes in the header at its byte " + std::to_string(at_));
    }
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }

  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    corrupt("expected fortran_order to be True or False");
  }

  void tuple() {
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t size = 0;
      const char* first = text_.data() + at_;
      const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || shape.size() == kDimensionsMax) {
        corrupt("expected a shape of at most 64 sizes below 2^63");
      }
      shape.push_back(size);
      at_ += static_cast<std::size_t>(end - first);
      accept('L');  // Python 2 wrote long integers so
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

struct DescrRow {
  std::string_view code;
  TensorType type;
};
constexpr DescrRow kDescr[] = {
    {"b1", TensorType::kBool}, {"u1", TensorType::kU8},  {"i1", TensorType::kI8},
    {"u2", TensorType::kU16},  {"i2", TensorType::kI16}, {"f2", TensorType::kF16},
    {"u4", TensorType::kU32},  {"i4", TensorType::kI32}, {"f4", TensorType::kF32},
    {"u8", TensorType::kU64},  {"i8", TensorType::kI64}, {"f8", TensorType::kF64},
};

TensorType type_of(const std::string& descr, const std::string& path) {
  const char order = descr.empty() ? '?' : descr[0];
  const bool ordered = order == '<' || order == '>' || order == '|' || order == '=';
  const std::string_view code = std::string_view(descr).substr(ordered ? 1 : 0);
  for (const DescrRow& row : kDescr) {
    if (row.code != code) continue;
    if (order == '>' && tensor_type_bytes(row.type) > 1) {
      fail(ErrorCode::kUnsupported, kOp,
           "'" + path + "': expected little-endian numbers, got big-endian '" + descr +
               "'; convert with array.astype('<" + std::string(code) + "')");
    }
    return row.type;
  }
  fail(ErrorCode::kUnsupported, kOp,
       "'" + path + "': expected numbers of type f2, f4, f8, i1 to i8, u1 to u8 or bool, got '" +
           descr + "'; convert with array.astype('f4')");
}

std::string_view type_name(TensorType type) {
  for (const DescrRow& row : kDescr) {
    if (row.type == type) return row.code;
  }
  return "?";
}

/// Position in Fortran order of the element after the one at C-order multi-index `index`.
class FortranWalk {
 public:
  FortranWalk(const std::vector<std::int64_t>& shape, std::int64_t first_row)
      : shape_(shape), index_(shape.size(), 0), strides_(shape.size(), 1) {
    for (std::size_t i = 1; i < shape.size(); ++i) strides_[i] = strides_[i - 1] * shape[i - 1];
    if (!index_.empty()) {
      index_[0] = first_row;
      position_ = first_row;
    }
  }
  std::int64_t position() const { return position_; }
  void advance() {
    for (std::size_t i = index_.size(); i-- > 0;) {
      position_ += strides_[i];
      if (++index_[i] < shape_[i]) return;
      position_ -= strides_[i] * index_[i];
      index_[i] = 0;
    }
  }

 private:
  const std::vector<std::int64_t>& shape_;
  std::vector<std::int64_t> index_, strides_;
  std::int64_t position_ = 0;
};

template <class T, class Stored>
bool fits(Stored value) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<Stored>) {
    return std::in_range<T>(value);
  } else {
    (void)value;
    return true;
  }
}

}  // namespace

NpyFile::NpyFile(const std::string& path) : path_(path), file_(std::in_place, path) {
  parse(file_->bytes());
}

NpyFile::NpyFile(std::span<const std::byte> bytes, std::string origin) : path_(std::move(origin)) {
  parse(bytes);
}

void NpyFile::parse(std::span<const std::byte> file) {
  const auto corrupt = [this](const std::string& message) {
    fail(ErrorCode::kCorruptData, kOp, "'" + path_ + "': " + message);
  };
  const auto byte = [&file](std::size_t i) { return std::to_integer<std::size_t>(file[i]); };
  constexpr unsigned char kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  if (file.size() < 10 || std::memcmp(file.data(), kMagic, sizeof kMagic) != 0) {
    corrupt("expected an NPY file, got " +
            (file.size() < 10 ? "only " + std::to_string(file.size()) + " bytes"
                              : std::string("something else")) +
            "; write one with numpy.save");
  }
  const std::size_t major = byte(6);
  if (major < 1 || major > 3) {
    corrupt("expected NPY version 1, 2 or 3, got " + std::to_string(major));
  }
  std::size_t start = 10;
  std::size_t header_bytes = byte(8) | byte(9) << 8;
  if (major > 1) {
    if (file.size() < 12) corrupt("expected a header, got the end of the file");
    start = 12;
    header_bytes |= byte(10) << 16 | byte(11) << 24;
  }
  if (header_bytes > kHeaderBytesMax || header_bytes > file.size() - start) {
    corrupt("expected a header of " + std::to_string(header_bytes) + " bytes, got " +
            std::to_string(file.size() - start) + "; the file may be truncated");
  }
  HeaderParser header({reinterpret_cast<const char*>(file.data()) + start, header_bytes}, path_);
  header.parse();
  type_ = type_of(header.descr, path_);
  shape_ = std::move(header.shape);
  fortran_order_ = header.fortran_order && shape_.size() > 1;
  std::int64_t elements = 1, bytes = 0;
  bool overflow = false;
  for (const std::int64_t size : shape_) {
    overflow = overflow || __builtin_mul_overflow(elements, size, &elements);
  }
  overflow = overflow || __builtin_mul_overflow(
                             elements, static_cast<std::int64_t>(tensor_type_bytes(type_)), &bytes);
  if (overflow) corrupt("expected a shape that fits 64 bits, got " + shape_text(shape_));
  data_ = file.subspan(start + header_bytes);
  if (data_.size() != static_cast<std::uint64_t>(bytes)) {
    corrupt(
        "expected " + std::to_string(bytes) + " bytes for shape " + shape_text(shape_) + " of " +
        std::string(type_name(type_)) + ", got " + std::to_string(data_.size()) +
        (data_.size() < static_cast<std::uint64_t>(bytes) ? "; the file may be truncated" : ""));
  }
  num_elements_ = elements;
}

template <class T>
std::vector<T> NpyFile::read() const {
  if (shape_.empty()) return read_rows<T>(0, 1);
  return read_rows<T>(0, shape_[0]);
}

template <class T>
std::vector<T> NpyFile::read_rows(std::int64_t first, std::int64_t count) const {
  const std::int64_t rows = shape_.empty() ? 1 : shape_[0];
  require(first >= 0 && count >= 0 && first <= rows && count <= rows - first, kOp,
          "expected rows within " + std::to_string(rows) + ", got " + std::to_string(count) +
              " from " + std::to_string(first));
  const std::int64_t row_size = rows > 0 ? num_elements_ / rows : 0;
  std::vector<T> out(static_cast<std::size_t>(count * row_size));
  if (out.empty()) return out;
  internal::with_stored_type(type_, [&]<class Stored>() {
    if constexpr (std::is_integral_v<T> && !std::is_integral_v<Stored>) {
      fail(ErrorCode::kCorruptData, kOp,
           "'" + path_ + "': expected whole numbers, got " + std::string(type_name(type_)));
    } else {
      const std::byte* base = data_.data();
      FortranWalk walk(shape_, first);
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::int64_t position = first * row_size + static_cast<std::int64_t>(i);
        if (fortran_order_) {
          position = walk.position();
          walk.advance();
        }
        const auto value =
            internal::load<Stored>(base + static_cast<std::size_t>(position) * sizeof(Stored));
        if (!fits<T>(value)) {
          fail(ErrorCode::kCorruptData, kOp,
               "'" + path_ + "': expected whole numbers that fit " +
                   std::string(sizeof(T) * 8 == 64 ? "64"
                               : sizeof(T) == 4    ? "32"
                                                   : "8") +
                   " bits, element " + std::to_string(i) + " does not");
        }
        out[i] = internal::converted<T>(value);
      }
    }
  });
  if (file_ && !fortran_order_) {
    const std::size_t row_bytes = data_.size() / static_cast<std::size_t>(rows);
    file_->done_with(data_.subspan(static_cast<std::size_t>(first) * row_bytes,
                                   static_cast<std::size_t>(count) * row_bytes));
  }
  return out;
}

namespace {

/// Everything before the numbers: 128 bytes for any matrix, whatever its number of rows.
template <class T>
std::string npy_start(std::span<const std::int64_t> shape) {
  std::string tuple = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    tuple += (i > 0 ? " " : "") + std::to_string(shape[i]) + ",";
  }
  if (shape.size() > 1) tuple.pop_back();
  tuple += ")";
  TensorType type = TensorType::kU8;
  if constexpr (std::is_same_v<T, std::int64_t>) {
    type = TensorType::kI64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    type = TensorType::kI32;
  } else if constexpr (!std::is_same_v<T, std::uint8_t>) {
    type = tensor_type(dtype_of<T>::value);
  }
  std::string header = std::string("{'descr': '") + (sizeof(T) == 1 ? "|" : "<") +
                       std::string(type_name(type)) +
                       "', 'fortran_order': False, 'shape': " + tuple + ", }";
  // Magic, version and length take 10 bytes; the data starts at a multiple of 64.
  const std::size_t total = (10 + header.size() + 1 + 63) / 64 * 64;
  header.resize(total - 10 - 1, ' ');
  header += '\n';
  std::string start = "\x93NUMPY";
  start += '\x01';
  start += '\0';
  start += static_cast<char>(static_cast<unsigned char>(header.size()));
  start += static_cast<char>(static_cast<unsigned char>(header.size() >> 8));
  return start + header;
}

}  // namespace

template <class T>
void write_npy(const std::string& path, std::span<const T> data,
               std::span<const std::int64_t> shape) {
  std::int64_t elements = 1;
  bool fit = true;
  for (const std::int64_t n : shape) {
    fit = fit && n >= 0 && !__builtin_mul_overflow(elements, n, &elements);
  }
  require(fit && data.size() == static_cast<std::uint64_t>(elements), "write_npy",
          "expected data of shape " + shape_text(shape) + ", got " + std::to_string(data.size()) +
              " numbers");
  AtomicFile file(path);
  file.write(npy_start<T>(shape));
  file.write(std::as_bytes(data));
  file.commit();
}

template <class T>
NpyWriter<T>::NpyWriter(const std::string& path, std::int64_t columns)
    : file_(path), columns_(columns) {
  require(columns >= 1, "write_npy", "expected columns, got " + std::to_string(columns));
  file_.write(start());
}

template <class T>
std::string NpyWriter<T>::start() const {
  const std::int64_t shape[] = {num_rows_, columns_};
  return npy_start<T>(shape);
}

template <class T>
void NpyWriter<T>::append(std::span<const T> rows) {
  require(std::ssize(rows) % columns_ == 0, "write_npy",
          "expected rows of " + std::to_string(columns_) + " numbers, got " +
              std::to_string(rows.size()) + " numbers");
  file_.write(std::as_bytes(rows));
  num_rows_ += std::ssize(rows) / columns_;
}

template <class T>
void NpyWriter<T>::commit() {
  const std::string text = start();
  file_.overwrite(0, std::as_bytes(std::span(text)));
  file_.commit();
}

#define HOPFIELD_NPY_READ(T)                        \
  template std::vector<T> NpyFile::read<T>() const; \
  template std::vector<T> NpyFile::read_rows<T>(std::int64_t, std::int64_t) const;
HOPFIELD_NPY_READ(float)
HOPFIELD_NPY_READ(double)
HOPFIELD_NPY_READ(std::int64_t)
HOPFIELD_NPY_READ(std::int32_t)
HOPFIELD_NPY_READ(std::uint8_t)
#undef HOPFIELD_NPY_READ

#define HOPFIELD_NPY_WRITE(T) \
  template void write_npy(const std::string&, std::span<const T>, std::span<const std::int64_t>);
HOPFIELD_NPY_WRITE(float)
HOPFIELD_NPY_WRITE(double)
HOPFIELD_NPY_WRITE(F16)
HOPFIELD_NPY_WRITE(std::int64_t)
HOPFIELD_NPY_WRITE(std::int32_t)
HOPFIELD_NPY_WRITE(std::uint8_t)
#undef HOPFIELD_NPY_WRITE

template class NpyWriter<float>;
template class NpyWriter<std::int64_t>;

}  // namespace hopfield::store
