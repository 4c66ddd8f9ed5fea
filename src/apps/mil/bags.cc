#include "hopfield/apps/mil/bags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "apps/mil/bag_arrays.h"
#include "apps/mil/text.h"
#include "hopfield/base/error.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/npy.h"

namespace hopfield::mil {
namespace {

constexpr const char* kReadBags = "read bags";
constexpr std::size_t kMaxNumberedClasses = 20;
constexpr const char* kNoLabels = "; where labels are not known, --ignore their column";

/// Columns of a table by their role.
struct Roles {
  std::size_t bag = 0;
  std::optional<std::size_t> label, instance;
  std::vector<std::size_t> features, coordinates;
};

Roles find_roles(const store::CsvReader& csv, const CsvBagOptions& options) {
  Roles roles;
  roles.bag = csv.column(options.bag_column, "name the column of the bags with --bag-column");
  const auto find = [&](const std::optional<std::string>& given, const std::string& usual) {
    const std::string& name = given ? *given : usual;
    const bool ignored =
        std::find(options.ignore.begin(), options.ignore.end(), name) != options.ignore.end();
    std::optional<std::size_t> column;
    if (!ignored && (given || csv.has_column(name))) column = csv.column(name);
    return column;
  };
  roles.label = find(options.label_column, "label");
  roles.instance = find(options.instance_column, "instance_id");
  std::unordered_set<std::size_t> taken = {roles.bag};
  if (roles.label) taken.insert(*roles.label);
  if (roles.instance) taken.insert(*roles.instance);
  for (const std::string& name : options.ignore) taken.insert(csv.column(name));
  require(
      options.coordinates.empty() || options.coordinates.size() == 2, kReadBags,
      "expected two columns with coordinates, got " + std::to_string(options.coordinates.size()));
  for (const std::string& name : options.coordinates) {
    roles.coordinates.push_back(csv.column(name));
    taken.insert(roles.coordinates.back());
  }
  if (options.features.empty()) {
    for (std::size_t c = 0; c < csv.columns().size(); ++c) {
      if (!taken.contains(c)) roles.features.push_back(c);
    }
  } else {
    for (const std::string& name : options.features) {
      const std::size_t c = csv.column(name);
      require(!taken.contains(c), kReadBags,
              "expected feature columns, got '" + name +
                  "', which is the bag, label or instance column, ignored, or named twice");
      taken.insert(c);
      roles.features.push_back(c);
    }
  }
  require(!roles.features.empty(), kReadBags,
          "expected at least one feature column in " + csv.path() + ", got none");
  return roles;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

/// The labels of all bags as text, see label_name, and where they stand.
struct LabelCells {
  std::vector<std::string> names, places;  ///< [num_bags]

  [[noreturn]] void refuse(std::size_t bag, const std::string& expected,
                           const std::string& remedy = "") const {
    fail(ErrorCode::kCorruptData, kReadBags,
         places[bag] + ": expected " + expected + ", got '" + names[bag] + "'" + remedy);
  }
};

/// Different names, numbers by value and before text.
std::vector<std::string> distinct_names(const std::vector<std::string>& names) {
  std::vector<std::pair<std::optional<double>, std::string>> keys;
  for (const std::string& name : names) keys.emplace_back(parse_number(name), name);
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) {
    if (a.first.has_value() != b.first.has_value()) return a.first.has_value();
    return a < b;
  });
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<std::string> out;
  for (auto& key : keys) out.push_back(std::move(key.second));
  return out;
}

/// What the labels mean if nobody says it, see LabelOptions.
Target detect_target(const std::vector<std::string>& distinct) {
  bool whole = true;
  for (const std::string& name : distinct) {
    const std::optional<double> value = parse_number(name);
    if (!value) return Target::kClasses;
    whole = whole && *value == std::floor(*value);
  }
  return whole && distinct.size() <= kMaxNumberedClasses ? Target::kClasses : Target::kRegression;
}

/// Text among numbers that alone would be a regression is a mistake, such as "NA", and no class.
void refuse_stray_text(const LabelCells& cells, const std::vector<std::string>& distinct) {
  const auto text = std::find_if(distinct.begin(), distinct.end(),
                                 [](const std::string& name) { return !parse_number(name); });
  if (text == distinct.end() || detect_target({distinct.begin(), text}) != Target::kRegression) {
    return;
  }
  const auto bag = std::find_if(cells.names.begin(), cells.names.end(),
                                [](const std::string& name) { return !parse_number(name); });
  cells.refuse(static_cast<std::size_t>(bag - cells.names.begin()),
               "a number, as other bags have for a label",
               "; fill it in, leave out the bag, or say --target classes");
}

LabelScheme find_scheme(const LabelCells& cells, const LabelOptions& options) {
  if (options.scheme) return *options.scheme;
  std::vector<std::string> distinct = distinct_names(cells.names);
  if (!options.target) refuse_stray_text(cells, distinct);
  const Target target = options.target.value_or(detect_target(distinct));
  if (target == Target::kRegression) return {target, {}};
  const std::vector<std::string> plain = {"0", "1"};
  if (std::includes(plain.begin(), plain.end(), distinct.begin(), distinct.end())) return {};
  for (std::size_t b = 0; target == Target::kBinary && b < cells.names.size(); ++b) {
    // Other numbers than 0 and 1 are mistakes; any two names are fine.
    const auto end = distinct.begin() + std::min<std::ptrdiff_t>(2, std::ssize(distinct));
    const bool known = parse_number(cells.names[b])
                           ? cells.names[b] == "0" || cells.names[b] == "1"
                           : std::find(distinct.begin(), end, cells.names[b]) != end;
    if (!known) cells.refuse(b, "the label 0 or 1, or one of two names");
  }
  const Target settled = distinct.size() == 2 ? Target::kBinary : Target::kClasses;
  return {settled, std::move(distinct)};
}

/// Puts the labels into the bags.
void settle_labels(Bags& bags, const LabelCells& cells, const LabelOptions& options) {
  bags.scheme = find_scheme(cells, options);
  const std::vector<std::string>& classes = bags.scheme.class_names;
  for (std::size_t b = 0; b < cells.names.size(); ++b) {
    if (bags.scheme.target == Target::kRegression) {
      const std::optional<double> value = parse_number(cells.names[b]);
      if (!value) cells.refuse(b, "a number to estimate");
      bags.numbers.push_back(*value);
      continue;
    }
    const auto found = std::find(classes.begin(), classes.end(), cells.names[b]);
    if (found == classes.end()) {
      cells.refuse(b, "a label of the model, which has " + label_text(bags.scheme), kNoLabels);
    }
    bags.labels.push_back(static_cast<int>(found - classes.begin()));
  }
}

std::string read_label(const store::CsvReader& csv, std::size_t column) {
  const std::string_view text = csv.text(column);
  double value = 0;
  const char* end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  const bool no_number = end == text.data() + text.size() && !std::isfinite(value);  // "nan"
  if (text.empty() || no_number) {
    fail(ErrorCode::kCorruptData, kReadBags,
         csv.where(column) + ": expected a label, got " +
             (text.empty() ? "nothing" : "'" + std::string(text) + "'") + kNoLabels);
  }
  return label_name(text);
}

/// Puts the rows of each bag together, bags in the order of their first row; `bag_of` [instances].
void gather_rows(Bags& bags, const std::vector<std::size_t>& bag_of) {
  const std::size_t num_bags = bags.bag_ids.size();
  std::vector<std::int64_t> offsets(num_bags + 1, 0);
  for (const std::size_t b : bag_of) ++offsets[b + 1];
  for (std::size_t b = 0; b < num_bags; ++b) offsets[b + 1] += offsets[b];
  std::vector<std::int64_t> next(offsets.begin(), offsets.end() - 1);
  const auto d = static_cast<std::size_t>(bags.num_features);
  std::vector<float> values(bags.values.size());
  std::vector<std::string> ids(bags.instance_ids.size());
  std::vector<double> coordinates(bags.coordinates.size());
  for (std::size_t i = 0; i < bag_of.size(); ++i) {
    const auto to = static_cast<std::size_t>(next[bag_of[i]]++);
    std::copy_n(bags.values.begin() + static_cast<std::ptrdiff_t>(i * d), d,
                values.begin() + static_cast<std::ptrdiff_t>(to * d));
    ids[to] = std::move(bags.instance_ids[i]);
    for (std::size_t axis = 0; axis < 2 && !coordinates.empty(); ++axis) {
      coordinates[2 * to + axis] = bags.coordinates[2 * i + axis];
    }
  }
  bags.coordinates = std::move(coordinates);
  bags.values = std::move(values);
  bags.instance_ids = std::move(ids);
  bags.offsets = std::move(offsets);
}

/// Names instances that the table did not name, and rejects names that occur twice in a bag.
void settle_instance_ids(Bags& bags, bool named) {
  for (std::int64_t b = 0; b < bags.num_bags(); ++b) {
    std::unordered_set<std::string_view> seen;
    const std::int64_t begin = bags.offsets[static_cast<std::size_t>(b)];
    for (std::int64_t i = 0; i < bags.bag_size(b); ++i) {
      std::string& id = bags.instance_ids[static_cast<std::size_t>(begin + i)];
      if (!named) {
        id = std::to_string(i + 1);
      } else if (!seen.insert(id).second) {
        fail(ErrorCode::kCorruptData, kReadBags,
             "expected distinct instances in each bag of " + bags.origin + ", got instance '" + id +
                 "' twice in bag '" + bags.bag_ids[static_cast<std::size_t>(b)] +
                 "'; name each once, or --ignore their column to count them");
      }
    }
  }
}

}  // namespace

std::string label_name(std::string_view text) {
  const std::optional<double> number = parse_number(text);
  return number ? exact(*number == 0 ? 0.0 : *number) : std::string(text);
}

std::string label_text(const LabelScheme& scheme) {
  if (scheme.target == Target::kRegression) return "numbers";
  std::string names;
  for (const std::string& name : scheme.class_names) names += (names.empty() ? "" : ", ") + name;
  const char* const title = scheme.num_classes() == 1 ? " class: " : " classes: ";
  return std::to_string(scheme.num_classes()) + title + names;
}

std::span<const float> Bags::all_values() const {
  if (mapped == nullptr) return values;
  return {reinterpret_cast<const float*>(mapped->data().data()),
          static_cast<std::size_t>(mapped->num_elements())};
}

std::string Bags::label_text(std::int64_t bag) const {
  const auto b = static_cast<std::size_t>(bag);
  if (!numbers.empty()) return exact(numbers[b]);
  return scheme.class_names[static_cast<std::size_t>(labels[b])];
}

Bags read_csv_bags(const std::string& path, const CsvBagOptions& options) {
  store::CsvReader csv(path);
  const Roles roles = find_roles(csv, options);
  Bags bags;
  bags.origin = path;
  bags.num_features = static_cast<std::int64_t>(roles.features.size());
  for (const std::size_t c : roles.features) bags.feature_names.push_back(csv.columns()[c]);
  bags.coordinate_names = options.coordinates;

  std::unordered_map<std::string, std::size_t> number_of_bag;
  std::vector<std::int64_t> last_line;  // of each bag, for messages
  std::vector<std::size_t> bag_of;      // of each row
  LabelCells labels;
  while (csv.next()) {
    const std::string bag_id(csv.text(roles.bag));
    if (bag_id.empty()) {
      fail(ErrorCode::kCorruptData, kReadBags,
           csv.where(roles.bag) + ": expected a bag, got nothing");
    }
    const auto [entry, is_new] = number_of_bag.try_emplace(bag_id, bags.bag_ids.size());
    const std::size_t bag = entry->second;
    if (is_new) {
      bags.bag_ids.push_back(bag_id);
      last_line.push_back(csv.line());
      if (roles.label) {
        labels.names.push_back(read_label(csv, *roles.label));
        labels.places.push_back(csv.where(*roles.label));
      }
    } else {
      if (!options.sort_bags && bag_of.back() != bag) {
        fail(ErrorCode::kCorruptData, kReadBags,
             csv.where(roles.bag) + ": expected the rows of a bag together, got bag '" + bag_id +
                 "' again, which was left after line " + std::to_string(last_line[bag]) +
                 "; sort the rows by bag, or use --sort-bags");
      }
      last_line[bag] = csv.line();
      if (roles.label && read_label(csv, *roles.label) != labels.names[bag]) {
        fail(ErrorCode::kCorruptData, kReadBags,
             csv.where(*roles.label) + ": expected the label " + labels.names[bag] +
                 " of the earlier rows of bag '" + bag_id + "', got " +
                 std::string(csv.text(*roles.label)) + "; a label belongs to the whole bag");
      }
    }
    bag_of.push_back(bag);
    bags.instance_ids.emplace_back(roles.instance ? csv.text(*roles.instance) : std::string_view());
    for (const std::size_t c : roles.coordinates) bags.coordinates.push_back(csv.number(c));
    for (const std::size_t c : roles.features) {
      const auto value = static_cast<float>(
          csv.number(c, "fill in what is missing, --ignore columns that are no features"));
      if (!std::isfinite(value)) {
        fail(ErrorCode::kCorruptData, kReadBags,
             csv.where(c) + ": expected a number that fits 32-bit floating point, got " +
                 std::string(csv.text(c)));
      }
      bags.values.push_back(value);
    }
  }
  if (bags.bag_ids.empty()) {
    fail(ErrorCode::kCorruptData, kReadBags, "expected rows in " + path + ", got the header alone");
  }
  settle_labels(bags, labels, options.labels);
  gather_rows(bags, bag_of);
  settle_instance_ids(bags, roles.instance.has_value());
  return bags;
}

namespace {

template <class T>
NamedArray<T> read_npy_array(const std::string& path) {
  const store::NpyFile file(path);
  return {path, file.shape(), file.read<T>()};
}

/// Whether the numbers of a file are floats as they lie there.
bool can_be_mapped(const store::NpyFile& file) {
  const auto address = reinterpret_cast<std::uintptr_t>(file.data().data());
  return file.type() == store::TensorType::kF32 && !file.fortran_order() &&
         address % alignof(float) == 0;
}

void check_offsets(const NamedArray<std::int64_t>& offsets, std::int64_t num_instances) {
  if (offsets.shape.size() != 1 || offsets.shape[0] < 2) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected offsets of shape [bags + 1] in " + offsets.name + ", got " +
             store::shape_text(offsets.shape));
  }
  const std::vector<std::int64_t>& data = offsets.data;
  if (data.front() != 0 || data.back() != num_instances) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected offsets from 0 to the number of instances, " + std::to_string(num_instances) +
             ", in " + offsets.name + ", got " + std::to_string(data.front()) + " to " +
             std::to_string(data.back()));
  }
  for (std::size_t b = 0; b + 1 < data.size(); ++b) {
    if (data[b + 1] <= data[b]) {
      fail(ErrorCode::kCorruptData, kReadBags,
           "expected at least one instance in every bag, got offsets " + std::to_string(data[b]) +
               ", " + std::to_string(data[b + 1]) + " for bag " + std::to_string(b + 1) + " in " +
               offsets.name + "; leave out bags without instances");
    }
  }
}

LabelCells label_cells(const NamedArray<double>& array, std::size_t num_bags) {
  if (array.shape != std::vector<std::int64_t>{static_cast<std::int64_t>(num_bags)}) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected labels of shape [" + std::to_string(num_bags) + "] in " + array.name + ", got " +
             store::shape_text(array.shape));
  }
  LabelCells labels;
  for (const double label : array.data) {
    labels.names.push_back(label_name(exact(label)));
    labels.places.push_back(array.name + ", bag " + std::to_string(labels.names.size()));
    if (!std::isfinite(label)) labels.refuse(labels.names.size() - 1, "a finite label");
  }
  return labels;
}

}  // namespace

Bags bags_of_arrays(NamedArray<float> values, NamedArray<std::int64_t> offsets,
                    const std::optional<NamedArray<double>>& labels, const LabelOptions& options,
                    std::shared_ptr<const store::NpyFile> mapped) {
  if (values.shape.size() != 2 || values.shape[0] < 1 || values.shape[1] < 1) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected values of shape [instances, features] in " + values.name + ", got " +
             store::shape_text(values.shape));
  }
  Bags bags;
  bags.origin = values.name;
  bags.num_features = values.shape[1];
  bags.values = std::move(values.data);
  bags.mapped = std::move(mapped);
  const std::span<const float> all = bags.all_values();
  const auto bad = std::find_if(all.begin(), all.end(), [](float x) { return !std::isfinite(x); });
  if (bad != all.end()) {
    const std::int64_t i = bad - all.begin(), d = bags.num_features;
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected finite numbers in " + values.name + ", got " + std::to_string(*bad) +
             " in row " + std::to_string(i / d + 1) + ", column " + std::to_string(i % d + 1));
  }
  check_offsets(offsets, values.shape[0]);
  bags.offsets = std::move(offsets.data);
  const std::size_t num_bags = bags.offsets.size() - 1;
  if (labels) settle_labels(bags, label_cells(*labels, num_bags), options);
  for (std::size_t b = 0; b < num_bags; ++b) bags.bag_ids.push_back(std::to_string(b + 1));
  bags.instance_ids.resize(static_cast<std::size_t>(bags.num_instances()));
  settle_instance_ids(bags, false);
  for (std::int64_t f = 0; f < bags.num_features; ++f) {
    bags.feature_names.push_back(std::string("f").append(std::to_string(f)));
  }
  return bags;
}

void set_coordinates(Bags& bags, NamedArray<double> coordinates) {
  if (coordinates.shape != std::vector<std::int64_t>{bags.num_instances(), 2}) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected coordinates of shape [" + std::to_string(bags.num_instances()) + ", 2] in " +
             coordinates.name + ", got " + store::shape_text(coordinates.shape));
  }
  bags.coordinates = std::move(coordinates.data);
  bags.coordinate_names = {"x", "y"};
  const auto bad = std::find_if(bags.coordinates.begin(), bags.coordinates.end(),
                                [](double value) { return !std::isfinite(value); });
  if (bad != bags.coordinates.end()) {
    fail(ErrorCode::kCorruptData, kReadBags,
         "expected finite coordinates in " + coordinates.name + ", got " + exact(*bad) +
             " in row " + std::to_string((bad - bags.coordinates.begin()) / 2 + 1));
  }
}

Bags read_npy_bags(const std::string& values_path, const std::string& offsets_path,
                   const std::string& labels_path, const LabelOptions& labels) {
  std::optional<NamedArray<double>> label_array;
  if (!labels_path.empty()) label_array = read_npy_array<double>(labels_path);
  NamedArray<std::int64_t> offsets = read_npy_array<std::int64_t>(offsets_path);
  auto file = std::make_shared<const store::NpyFile>(values_path);
  NamedArray<float> values{values_path, file->shape(), {}};
  if (!can_be_mapped(*file)) {
    values.data = file->read<float>();
    file = nullptr;
  }
  return bags_of_arrays(std::move(values), std::move(offsets), label_array, labels,
                        std::move(file));
}

void read_npy_coordinates(const std::string& path, Bags& bags) {
  set_coordinates(bags, read_npy_array<double>(path));
}

Bags select_bags(const Bags& bags, std::span<const std::int64_t> which) {
  Bags out;
  out.num_features = bags.num_features;
  out.feature_names = bags.feature_names;
  out.scheme = bags.scheme;
  out.coordinate_names = bags.coordinate_names;
  out.origin = bags.origin;
  out.offsets.push_back(0);
  const auto d = static_cast<std::ptrdiff_t>(bags.num_features);
  const std::span<const float> all = bags.all_values();
  for (const std::int64_t bag : which) {
    require(bag >= 0 && bag < bags.num_bags(), "select bags",
            "expected a bag from 0 to " + std::to_string(bags.num_bags() - 1) + ", got " +
                std::to_string(bag));
    const auto b = static_cast<std::size_t>(bag);
    const auto begin = static_cast<std::ptrdiff_t>(bags.offsets[b]);
    const auto end = static_cast<std::ptrdiff_t>(bags.offsets[b + 1]);
    out.values.insert(out.values.end(), all.begin() + begin * d, all.begin() + end * d);
    out.instance_ids.insert(out.instance_ids.end(), bags.instance_ids.begin() + begin,
                            bags.instance_ids.begin() + end);
    if (!bags.coordinates.empty()) {
      out.coordinates.insert(out.coordinates.end(), bags.coordinates.begin() + 2 * begin,
                             bags.coordinates.begin() + 2 * end);
    }
    out.offsets.push_back(out.offsets.back() + (end - begin));
    out.bag_ids.push_back(bags.bag_ids[b]);
    if (!bags.labels.empty()) out.labels.push_back(bags.labels[b]);
    if (!bags.numbers.empty()) out.numbers.push_back(bags.numbers[b]);
  }
  return out;
}

void check_bags(const Bags& bags) {
  const std::size_t num_bags = bags.bag_ids.size();
  require(num_bags > 0, "bags", "expected at least one bag, got none");
  require(bags.num_features > 0, "bags", "expected at least one feature, got none");
  require(bags.offsets.size() == num_bags + 1 && bags.offsets.front() == 0, "bags",
          "expected offsets [bags + 1] from 0, got " + std::to_string(bags.offsets.size()) +
              " numbers for " + std::to_string(num_bags) + " bags");
  for (std::size_t b = 0; b < num_bags; ++b) {
    require(
        bags.offsets[b + 1] > bags.offsets[b], "bags",
        "expected at least one instance in every bag, got none in bag '" + bags.bag_ids[b] + "'");
  }
  require(bags.mapped == nullptr || bags.values.empty(), "bags",
          "expected values in memory or in a mapped file, got both");
  const std::span<const float> all = bags.all_values();
  require(all.size() == static_cast<std::size_t>(bags.num_instances()) *
                            static_cast<std::size_t>(bags.num_features),
          "bags",
          "expected values [" + std::to_string(bags.num_instances()) + ", " +
              std::to_string(bags.num_features) + "], got " + std::to_string(all.size()) +
              " numbers");
  for (const std::size_t count : {bags.labels.size(), bags.numbers.size()}) {
    require(count == 0 || count == num_bags, "bags",
            "expected one label a bag, got " + std::to_string(count));
  }
  require(bags.coordinates.empty() ||
              bags.coordinates.size() == 2 * static_cast<std::size_t>(bags.num_instances()),
          "bags",
          "expected two coordinates an instance, got " + std::to_string(bags.coordinates.size()));
  require(std::all_of(all.begin(), all.end(), [](float value) { return std::isfinite(value); }),
          "bags", "expected finite values, got NaN or infinity");
}

void check_labels(const Bags& bags) {
  const bool regression = bags.scheme.target == Target::kRegression;
  require(regression ? !bags.numbers.empty() : !bags.labels.empty(), "bags",
          "expected a label for each bag, got none; say where they are: --label-column of a table, "
          "--labels beside an NPY file, 'labels' in an HDF5 file");
  if (regression) {
    require(std::all_of(bags.numbers.begin(), bags.numbers.end(),
                        [](double number) { return std::isfinite(number); }),
            "bags", "expected finite labels, got NaN or infinity");
    check_variety(bags, "bags");
    return;
  }
  const std::int64_t num_classes = bags.scheme.num_classes();
  if (num_classes < 2) {
    fail(ErrorCode::kCorruptData, "bags",
         "expected labels of two classes or more in " + bags.origin + ", got " +
             mil::label_text(bags.scheme));
  }
  for (const int label : bags.labels) {
    require(
        label >= 0 && label < num_classes, "bags",
        "expected labels below " + std::to_string(num_classes) + ", got " + std::to_string(label));
  }
}

void check_variety(const Bags& bags, const char* op) {
  if (bags.scheme.target == Target::kRegression) {
    const bool equal = std::adjacent_find(bags.numbers.begin(), bags.numbers.end(),
                                          std::not_equal_to<>()) == bags.numbers.end();
    if (equal) {
      fail(ErrorCode::kCorruptData, op,
           "expected bags with different labels in " + bags.origin + ", got equal ones");
    }
    return;
  }
  for (std::size_t c = 0; c < bags.scheme.class_names.size(); ++c) {
    if (std::find(bags.labels.begin(), bags.labels.end(), static_cast<int>(c)) ==
        bags.labels.end()) {
      fail(ErrorCode::kCorruptData, op,
           std::string("expected training bags of ") +
               (bags.scheme.num_classes() == 2 ? "both" : "all") + " classes in " + bags.origin +
               ", got none with label " + bags.scheme.class_names[c]);
    }
  }
}

}  // namespace hopfield::mil
