// Bags in HDF5 files, where the build found that library.
#include <filesystem>
#include <string>

#include "hopfield/apps/mil/bags_hdf5.h"
#include "hopfield/base/error.h"

#ifdef HOPFIELD_HAS_HDF5
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "apps/mil/bag_arrays.h"
#endif

namespace hopfield::mil {

#ifdef HOPFIELD_HAS_HDF5

namespace {

constexpr const char* kOp = "read HDF5";

/// An identifier of the library, given back at the end.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

template <class T>
hid_t memory_type();
template <>
hid_t memory_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t memory_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t memory_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}

/// A data set of numbers, converted to T; none if the file has no such name.
template <class T>
std::optional<NamedArray<T>> read_dataset(const std::string& path, hid_t file,
                                          const std::string& name) {
  if (H5Lexists(file, name.c_str(), H5P_DEFAULT) <= 0) return std::nullopt;
  NamedArray<T> out{path + ":" + name, {}, {}};
  const auto check = [&](bool ok, const std::string& expected) {
    if (!ok)
      fail(ErrorCode::kCorruptData, kOp,
           "expected " + expected + " in " + out.name + ", got another; is the file whole?");
  };
  const Handle dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
  check(dataset.ok(), "a data set");
  const Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const H5T_class_t kind = type.ok() ? H5Tget_class(type.get()) : H5T_NO_CLASS;
  if (kind == H5T_STRING || kind == H5T_ENUM) {
    fail(ErrorCode::kCorruptData, kOp,
         "expected numbers in " + out.name + ", got text or flags; write them as whole numbers");
  }
  check(kind == H5T_INTEGER || kind == H5T_FLOAT, "numbers");
  check(!std::is_integral_v<T> || kind == H5T_INTEGER, "whole numbers");
  const Handle space(H5Dget_space(dataset.get()), H5Sclose);
  const int num_axes = space.ok() ? H5Sget_simple_extent_ndims(space.get()) : -1;
  check(num_axes == 1 || num_axes == 2, "an array of one or two axes");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(num_axes));
  H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
  std::size_t count = 1;
  for (const hsize_t size : sizes) {
    check(size == 0 || count <= std::numeric_limits<std::size_t>::max() / sizeof(T) / size,
          "an array that fits memory");
    count *= static_cast<std::size_t>(size);
    out.shape.push_back(static_cast<std::int64_t>(size));
  }
  // Compressed data may be larger than its file, but not beyond what deflate can do.
  const auto stored = static_cast<std::uint64_t>(H5Dget_storage_size(dataset.get()));
  constexpr std::uint64_t kMostCompression = 1100;
  check(count * sizeof(T) / 16 <= (stored + 1) * kMostCompression,
        "as many bytes as the shape says");
  out.data.resize(count);
  check(
      H5Dread(dataset.get(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data.data()) >= 0,
      "readable numbers");
  return out;
}

}  // namespace

Bags read_hdf5_bags(const std::string& path, const LabelOptions& labels) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors are told by exceptions, not printed
  if (!std::filesystem::exists(path)) {
    fail(ErrorCode::kIo, kOp, "expected a file, got no " + path);
  }
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.ok()) fail(ErrorCode::kCorruptData, kOp, "expected an HDF5 file, got " + path);
  auto values = read_dataset<float>(path, file.get(), "features");
  if (!values)
    fail(ErrorCode::kCorruptData, kOp, "expected a data set 'features' in " + path + ", got none");
  auto offsets = read_dataset<std::int64_t>(path, file.get(), "offsets");
  const bool one_bag = !offsets.has_value();
  if (one_bag) {
    offsets = {path + ":offsets", {2}, {0, values->shape.empty() ? 0 : values->shape[0]}};
  }
  Bags bags = bags_of_arrays(std::move(*values), std::move(*offsets),
                             read_dataset<double>(path, file.get(), "labels"), labels);
  bags.origin = path;
  if (one_bag) bags.bag_ids = {std::filesystem::path(path).stem().string()};
  if (auto coordinates = read_dataset<double>(path, file.get(), "coords")) {
    set_coordinates(bags, std::move(*coordinates));
  }
  return bags;
}

#else

Bags read_hdf5_bags(const std::string& path, const LabelOptions&) {
  fail(ErrorCode::kUnsupported, "read HDF5",
       "expected a build with HDF5 to read " + path +
           ", got one without; install libhdf5-dev and build again, or give NPY files");
}

#endif

}  // namespace hopfield::mil
