#ifndef HOPFIELD_APPS_MIL_ESTIMATE_H_
#define HOPFIELD_APPS_MIL_ESTIMATE_H_

#include <cstdint>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/apps/mil/saved_model.h"

namespace hopfield::mil {

/// What a run will take. An estimate: other work on the machine counts in, early stopping does not.
struct Estimate {
  double seconds = 0;      ///< on the clock, with every epoch that may be made
  std::int64_t bytes = 0;  ///< of memory, beside the program's own
};

/// Time: one epoch of each network on the first fold is made (two if they are short), and a fit of
/// stored bags on at most 128 of them, whose time is taken to grow with the third power. Memory:
/// from sizes; the bags as given, and for each thread the coded bags, a step's and the validation
/// bags' rows with their layers and gradients, or the stored bags' tables. Errors: as
/// cross_validate.
Estimate estimate_cv(const Bags& bags, const std::vector<Repetition>& repetitions,
                     const CvOptions& options);

/// The same for `fit`.
Estimate estimate_fit(const Bags& bags, const FitOptions& options);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_ESTIMATE_H_
