#ifndef HOPFIELD_APPS_MIL_BAGS_HDF5_H_
#define HOPFIELD_APPS_MIL_BAGS_HDF5_H_

#include <string>

#include "hopfield/apps/mil/bags.h"

namespace hopfield::mil {

/// Reads `features` [N, D], `offsets` [B + 1] and, if they are there, `labels` [B] and `coords`
/// [N, 2] from an HDF5 file. Without `offsets` the file is one bag, called as the file without its
/// ending. Errors: as read_npy_bags; kUnsupported in a build without HDF5.
Bags read_hdf5_bags(const std::string& path, const LabelOptions& labels = {});

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAGS_HDF5_H_
