#ifndef HOPFIELD_APPS_MIL_BAG_ARRAYS_H_
#define HOPFIELD_APPS_MIL_BAG_ARRAYS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"

namespace hopfield::mil {

/// An array of some file; `name` tells the user which.
template <class T>
struct NamedArray {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<T> data;
};

/// Bags of values [N, D] (in `mapped` if it is given, else in `values.data`), offsets [B + 1] and,
/// if known, labels [B]; checked as read_npy_bags says.
Bags bags_of_arrays(NamedArray<float> values, NamedArray<std::int64_t> offsets,
                    const std::optional<NamedArray<double>>& labels, const LabelOptions& options,
                    std::shared_ptr<const store::NpyFile> mapped = nullptr);

/// Coordinates [N, 2], called x and y, for these bags.
void set_coordinates(Bags& bags, NamedArray<double> coordinates);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAG_ARRAYS_H_
