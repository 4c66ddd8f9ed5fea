#include "cli/digits.h"

#include <algorithm>
#include <array>
#include <set>

#include "hopfield/base/error.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/idx.h"

namespace hopfield::cli {
namespace {

constexpr const char* kOp = "digits";
constexpr int kSide = 8, kNumGreys = 17, kNumDigits = 10;

}  // namespace

Digits read_digits(const std::string& path) {
  store::CsvOptions options;
  options.header = false;
  store::CsvReader reader(path, options);
  Digits digits;
  digits.side = kSide;
  digits.num_greys = kNumGreys;
  digits.origin = path;
  constexpr std::size_t kPixels = std::size_t{kSide} * kSide;
  std::set<std::array<int, kPixels>> seen;
  const auto cell = [&](std::size_t column, std::int64_t limit) {
    const std::int64_t value = reader.integer(column);
    if (value < 0 || value >= limit) {
      fail(ErrorCode::kCorruptData, kOp,
           "expected a whole number from 0 to " + std::to_string(limit - 1) + " in " +
               reader.where(column) + ", got " + std::to_string(value));
    }
    return static_cast<int>(value);
  };
  while (reader.next()) {
    if (reader.columns().size() != kPixels + 1) {
      fail(ErrorCode::kCorruptData, kOp,
           "expected " + std::to_string(kPixels + 1) + " columns in " + path + ", got " +
               std::to_string(reader.columns().size()));
    }
    std::array<int, kPixels> picture;
    for (std::size_t k = 0; k < kPixels; ++k) picture[k] = cell(k, kNumGreys);
    const int label = cell(kPixels, kNumDigits);
    if (!seen.insert(picture).second) {
      ++digits.num_repeated;
      continue;
    }
    digits.label.push_back(label);
    for (const int grey : picture) {
      digits.grey.push_back(grey);
      digits.ink.push_back(static_cast<float>(grey) / (kNumGreys - 1));
    }
  }
  if (digits.count() == 0) {
    fail(ErrorCode::kCorruptData, kOp, "expected pictures in " + path + ", got none");
  }
  return digits;
}

Digits read_mnist(const std::string& pictures_path, const std::string& labels_path,
                  std::size_t count_max) {
  const store::IdxBytes pictures = store::read_idx(pictures_path);
  const store::IdxBytes labels = store::read_idx(labels_path);
  if (pictures.shape.size() != 3 || pictures.shape[1] != pictures.shape[2] ||
      pictures.values.empty()) {
    fail(ErrorCode::kCorruptData, kOp,
         "expected square pictures in " + pictures_path + ", got another shape");
  }
  if (labels.shape.size() != 1 || labels.shape[0] != pictures.shape[0]) {
    fail(ErrorCode::kCorruptData, kOp,
         "expected a digit for each picture in " + labels_path + ", got another number");
  }
  Digits digits;
  digits.side = static_cast<int>(pictures.shape[1]);
  digits.num_greys = 256;
  digits.origin = pictures_path;
  const std::size_t count = std::min(count_max, labels.values.size());
  for (std::size_t i = 0; i < count; ++i) {
    const int label = labels.values[i];
    if (label >= kNumDigits) {
      fail(ErrorCode::kCorruptData, kOp,
           "expected a digit from 0 to 9 in " + labels_path + ", got " + std::to_string(label));
    }
    digits.label.push_back(label);
  }
  const std::size_t numbers = count * digits.pixels();
  digits.grey.assign(pictures.values.begin(),
                     pictures.values.begin() + static_cast<std::ptrdiff_t>(numbers));
  digits.ink.reserve(numbers);
  for (const int grey : digits.grey) digits.ink.push_back(static_cast<float>(grey) / 255.0f);
  return digits;
}

}  // namespace hopfield::cli
