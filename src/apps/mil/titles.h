#ifndef HOPFIELD_APPS_MIL_TITLES_H_
#define HOPFIELD_APPS_MIL_TITLES_H_

#include <string>

#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

/// What people read: "HopfieldPooling", "mean + max, linear", ...
std::string pooling_title(Pooling pooling);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_TITLES_H_
