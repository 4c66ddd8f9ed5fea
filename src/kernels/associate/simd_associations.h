#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_ASSOCIATIONS_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_ASSOCIATIONS_H_

#include <cstdint>
#include <vector>

#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

/// Where the rows of a bag begin in the dense associations.
template <class T>
class AssociationPlace {
 public:
  AssociationPlace(const AssociateCall& call, const AssociateOutputs<T>& out)
      : data_(out.association.data()) {
    if (out.association.empty()) return;
    std::int64_t begin = 0;
    for (std::int64_t b = 0; b < call.shape.num_bags; ++b) {
      const BagPlace bag = locate_bag(call, b);
      begins_.push_back(begin);
      begin += call.shape.heads * bag.state_count * bag.stored_count;
    }
  }
  bool wanted() const { return !begins_.empty(); }
  /// stored_count entries; null when not wanted.
  T* row(const RowGroup<T>& group, std::int64_t r) const {
    if (!wanted()) return nullptr;
    return data_ + begins_[static_cast<std::size_t>(group.bag)] +
           (group.head * group.place.state_count + group.state[r]) * group.place.stored_count;
  }

 private:
  T* data_;
  std::vector<std::int64_t> begins_;
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_ASSOCIATIONS_H_
