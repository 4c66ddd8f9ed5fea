#include "hopfield/base/version.h"

namespace hopfield {
const char* version() {
  return HOPFIELD_VERSION;
}
}  // namespace hopfield
