#ifndef HOPFIELD_TESTS_TORCH_MIL_TOY_H_
#define HOPFIELD_TESTS_TORCH_MIL_TOY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "apps/mil/random.h"
#include "hopfield/apps/mil/bags.h"

namespace hopfield::test {

/// Bags whose label one instance decides: positive bags hold exactly one witness, which has the
/// features 0 and 1 both high; no other instance has. `witness[b]` is its place, -1 in negative
/// bags. Labels alternate.
struct Toy {
  mil::Bags bags;
  std::vector<std::int64_t> witness;
};

inline Toy make_toy(int num_bags, std::uint64_t seed = 3, int num_features = 4) {
  mil::Random random(seed);
  Toy toy;
  mil::Bags& bags = toy.bags;
  bags.origin = "toy";
  bags.num_features = num_features;
  bags.offsets = {0};
  for (int f = 0; f < num_features; ++f) {
    bags.feature_names.push_back(std::string("x").append(std::to_string(f)));
  }
  for (int b = 0; b < num_bags; ++b) {
    const auto size = 2 + random.below(5);
    const bool positive = b % 2 == 1;
    const auto witness = positive ? static_cast<std::int64_t>(random.below(size)) : -1;
    for (std::size_t i = 0; i < size; ++i) {
      std::vector<double> x;
      for (int f = 0; f < num_features; ++f) x.push_back(random.normal());
      if (static_cast<std::int64_t>(i) == witness) {
        x[0] = 2.5 + 0.3 * x[0];
        x[1] = 2.5 + 0.3 * x[1];
      } else if (x[0] > 1 && x[1] > 1) {
        x[1] = -x[1];
      }
      for (const double value : x) bags.values.push_back(static_cast<float>(value));
      bags.instance_ids.push_back(std::to_string(i + 1));
    }
    bags.offsets.push_back(bags.offsets.back() + static_cast<std::int64_t>(size));
    bags.labels.push_back(positive ? 1 : 0);
    bags.bag_ids.push_back(std::string("b").append(std::to_string(b)));
    toy.witness.push_back(witness);
  }
  return toy;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_TORCH_MIL_TOY_H_
