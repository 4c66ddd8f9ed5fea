#ifndef HOPFIELD_BASE_VERSION_H_
#define HOPFIELD_BASE_VERSION_H_

namespace hopfield {

/// "0.1.0"
const char* version();

}  // namespace hopfield

#endif  // HOPFIELD_BASE_VERSION_H_
