#include "hopfield/apps/mil/bags.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/npy.h"

namespace hopfield::mil {
namespace {

constexpr const char* kReadCsv = "read bags";
constexpr const char* kReadNpy = "read bags";

/// Columns of a table by their role.
struct Roles {
  std::size_t bag = 0;
  std::optional<std::size_t> label, instance;
  std::vector<std::size_t> features;
};

Roles find_roles(const store::CsvReader& csv, const CsvBagOptions& options) {
  Roles roles;
  roles.bag = csv.column(options.bag_column);
  if (options.label_column) {
    roles.label = csv.column(*options.label_column);
  } else if (csv.has_column("label")) {
    roles.label = csv.column("label");
  }
  if (options.instance_column) {
    roles.instance = csv.column(*options.instance_column);
  } else if (csv.has_column("instance_id")) {
    roles.instance = csv.column("instance_id");
  }
  std::unordered_set<std::size_t> taken = {roles.bag};
  if (roles.label) taken.insert(*roles.label);
  if (roles.instance) taken.insert(*roles.instance);
  for (const std::string& name : options.ignore) taken.insert(csv.column(name));
  if (options.features.empty()) {
    for (std::size_t c = 0; c < csv.columns().size(); ++c) {
      if (!taken.contains(c)) roles.features.push_back(c);
    }
  } else {
    for (const std::string& name : options.features) {
      const std::size_t c = csv.column(name);
      require(!taken.contains(c), kReadCsv,
              "expected feature columns, got '" + name +
                  "', which is the bag, label or instance column, ignored, or named twice");
      taken.insert(c);
      roles.features.push_back(c);
    }
  }
  require(!roles.features.empty(), kReadCsv,
          "expected at least one feature column in " + csv.path() + ", got none");
  return roles;
}

/// A label cell as 0 or 1; "1.0" and "0.0" count, too.
int parse_label(const store::CsvReader& csv, std::size_t column) {
  const double value = csv.number(column);
  if (value != 0 && value != 1) {
    fail(ErrorCode::kCorruptData, kReadCsv,
         csv.where(column) + ": expected the label 0 or 1, got " + std::string(csv.text(column)));
  }
  return value == 1 ? 1 : 0;
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
  for (std::size_t i = 0; i < bag_of.size(); ++i) {
    const auto to = static_cast<std::size_t>(next[bag_of[i]]++);
    std::copy_n(bags.values.begin() + static_cast<std::ptrdiff_t>(i * d), d,
                values.begin() + static_cast<std::ptrdiff_t>(to * d));
    ids[to] = std::move(bags.instance_ids[i]);
  }
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
        fail(ErrorCode::kCorruptData, kReadCsv,
             "expected distinct instances in each bag of " + bags.origin + ", got instance '" + id +
                 "' twice in bag '" + bags.bag_ids[static_cast<std::size_t>(b)] + "'");
      }
    }
  }
}

}  // namespace

Bags read_csv_bags(const std::string& path, const CsvBagOptions& options) {
  store::CsvReader csv(path);
  const Roles roles = find_roles(csv, options);
  Bags bags;
  bags.origin = path;
  bags.num_features = static_cast<std::int64_t>(roles.features.size());
  for (const std::size_t c : roles.features) bags.feature_names.push_back(csv.columns()[c]);

  std::unordered_map<std::string, std::size_t> number_of_bag;
  std::vector<std::int64_t> last_line;  // of each bag, for messages
  std::vector<std::size_t> bag_of;      // of each row
  while (csv.next()) {
    const std::string bag_id(csv.text(roles.bag));
    if (bag_id.empty()) {
      fail(ErrorCode::kCorruptData, kReadCsv,
           csv.where(roles.bag) + ": expected a bag, got nothing");
    }
    const auto [entry, is_new] = number_of_bag.try_emplace(bag_id, bags.bag_ids.size());
    const std::size_t bag = entry->second;
    if (is_new) {
      bags.bag_ids.push_back(bag_id);
      last_line.push_back(csv.line());
      if (roles.label) bags.labels.push_back(parse_label(csv, *roles.label));
    } else {
      if (!options.sort_bags && bag_of.back() != bag) {
        fail(ErrorCode::kCorruptData, kReadCsv,
             csv.where(roles.bag) + ": expected the rows of a bag together, got bag '" + bag_id +
                 "' again, which was left after line " + std::to_string(last_line[bag]) +
                 "; sort the rows by bag, or use --sort-bags");
      }
      last_line[bag] = csv.line();
      if (roles.label && parse_label(csv, *roles.label) != bags.labels[bag]) {
        fail(ErrorCode::kCorruptData, kReadCsv,
             csv.where(*roles.label) + ": expected the label " + std::to_string(bags.labels[bag]) +
                 " of the earlier rows of bag '" + bag_id + "', got " +
                 std::string(csv.text(*roles.label)) + "; a label belongs to the whole bag");
      }
    }
    bag_of.push_back(bag);
    bags.instance_ids.emplace_back(roles.instance ? csv.text(*roles.instance) : std::string_view());
    for (const std::size_t c : roles.features) {
      const auto value = static_cast<float>(csv.number(c));
      if (!std::isfinite(value)) {
        fail(ErrorCode::kCorruptData, kReadCsv,
             csv.where(c) + ": expected a number that fits 32-bit floating point, got " +
                 std::string(csv.text(c)));
      }
      bags.values.push_back(value);
    }
  }
  if (bags.bag_ids.empty()) {
    fail(ErrorCode::kCorruptData, kReadCsv, "expected rows in " + path + ", got the header alone");
  }
  gather_rows(bags, bag_of);
  settle_instance_ids(bags, roles.instance.has_value());
  return bags;
}

namespace {

std::vector<std::int64_t> read_npy_offsets(const std::string& path, std::int64_t num_instances) {
  const store::NpyFile file(path);
  if (file.shape().size() != 1 || file.shape()[0] < 2) {
    fail(ErrorCode::kCorruptData, kReadNpy,
         "expected offsets of shape [bags + 1] in " + path + ", got " +
             store::shape_text(file.shape()));
  }
  std::vector<std::int64_t> offsets = file.read<std::int64_t>();
  if (offsets.front() != 0 || offsets.back() != num_instances) {
    fail(ErrorCode::kCorruptData, kReadNpy,
         "expected offsets from 0 to the number of instances, " + std::to_string(num_instances) +
             ", in " + path + ", got " + std::to_string(offsets.front()) + " to " +
             std::to_string(offsets.back()));
  }
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    if (offsets[b + 1] <= offsets[b]) {
      fail(ErrorCode::kCorruptData, kReadNpy,
           "expected at least one instance in every bag, got offsets " +
               std::to_string(offsets[b]) + ", " + std::to_string(offsets[b + 1]) + " for bag " +
               std::to_string(b + 1) + " in " + path + "; leave out bags without instances");
    }
  }
  return offsets;
}

std::vector<int> read_npy_labels(const std::string& path, std::size_t num_bags) {
  const store::NpyFile file(path);
  if (file.shape().size() != 1 || file.shape()[0] != static_cast<std::int64_t>(num_bags)) {
    fail(ErrorCode::kCorruptData, kReadNpy,
         "expected labels of shape [" + std::to_string(num_bags) + "] in " + path + ", got " +
             store::shape_text(file.shape()));
  }
  std::vector<int> labels;
  for (const double label : file.read<double>()) {
    if (label != 0 && label != 1) {
      fail(ErrorCode::kCorruptData, kReadNpy,
           "expected labels 0 or 1 in " + path + ", got " + std::to_string(label) + " for bag " +
               std::to_string(labels.size() + 1));
    }
    labels.push_back(label == 1 ? 1 : 0);
  }
  return labels;
}

}  // namespace

Bags read_npy_bags(const std::string& values_path, const std::string& offsets_path,
                   const std::string& labels_path) {
  const store::NpyFile file(values_path);
  if (file.shape().size() != 2 || file.shape()[0] < 1 || file.shape()[1] < 1) {
    fail(ErrorCode::kCorruptData, kReadNpy,
         "expected values of shape [instances, features] in " + values_path + ", got " +
             store::shape_text(file.shape()));
  }
  Bags bags;
  bags.origin = values_path;
  bags.num_features = file.shape()[1];
  bags.values = file.read<float>();
  for (std::size_t i = 0; i < bags.values.size(); ++i) {
    if (!std::isfinite(bags.values[i])) {
      const auto d = static_cast<std::size_t>(bags.num_features);
      fail(ErrorCode::kCorruptData, kReadNpy,
           "expected finite numbers in " + values_path + ", got " + std::to_string(bags.values[i]) +
               " in row " + std::to_string(i / d + 1) + ", column " + std::to_string(i % d + 1));
    }
  }
  bags.offsets = read_npy_offsets(offsets_path, file.shape()[0]);
  const std::size_t num_bags = bags.offsets.size() - 1;
  if (!labels_path.empty()) bags.labels = read_npy_labels(labels_path, num_bags);
  for (std::size_t b = 0; b < num_bags; ++b) bags.bag_ids.push_back(std::to_string(b + 1));
  bags.instance_ids.resize(static_cast<std::size_t>(bags.num_instances()));
  settle_instance_ids(bags, false);
  for (std::int64_t f = 0; f < bags.num_features; ++f) {
    bags.feature_names.push_back(std::string("f").append(std::to_string(f)));
  }
  return bags;
}

Bags select_bags(const Bags& bags, std::span<const std::int64_t> which) {
  Bags out;
  out.num_features = bags.num_features;
  out.feature_names = bags.feature_names;
  out.origin = bags.origin;
  out.offsets.push_back(0);
  const auto d = static_cast<std::ptrdiff_t>(bags.num_features);
  for (const std::int64_t bag : which) {
    require(bag >= 0 && bag < bags.num_bags(), "select bags",
            "expected a bag from 0 to " + std::to_string(bags.num_bags() - 1) + ", got " +
                std::to_string(bag));
    const auto b = static_cast<std::size_t>(bag);
    const auto begin = static_cast<std::ptrdiff_t>(bags.offsets[b]);
    const auto end = static_cast<std::ptrdiff_t>(bags.offsets[b + 1]);
    out.values.insert(out.values.end(), bags.values.begin() + begin * d,
                      bags.values.begin() + end * d);
    out.instance_ids.insert(out.instance_ids.end(), bags.instance_ids.begin() + begin,
                            bags.instance_ids.begin() + end);
    out.offsets.push_back(out.offsets.back() + (end - begin));
    out.bag_ids.push_back(bags.bag_ids[b]);
    if (!bags.labels.empty()) out.labels.push_back(bags.labels[b]);
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
  require(bags.values.size() == static_cast<std::size_t>(bags.num_instances()) *
                                    static_cast<std::size_t>(bags.num_features),
          "bags",
          "expected values [" + std::to_string(bags.num_instances()) + ", " +
              std::to_string(bags.num_features) + "], got " + std::to_string(bags.values.size()) +
              " numbers");
  require(bags.labels.empty() || bags.labels.size() == num_bags, "bags",
          "expected one label a bag, got " + std::to_string(bags.labels.size()));
  require(std::all_of(bags.values.begin(), bags.values.end(),
                      [](float value) { return std::isfinite(value); }),
          "bags", "expected finite values, got NaN or infinity");
}

void check_labels(const Bags& bags) {
  require(!bags.labels.empty(), "bags",
          "expected a label for each bag, got none; name the column with --label-column");
  for (std::size_t b = 0; b < bags.labels.size(); ++b) {
    require(bags.labels[b] == 0 || bags.labels[b] == 1, "bags",
            "expected labels 0 or 1, got " + std::to_string(bags.labels[b]));
  }
}

}  // namespace hopfield::mil
