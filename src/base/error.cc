#include "hopfield/base/error.h"

namespace hopfield {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "InvalidArgument";
    case ErrorCode::kCorruptData:
      return "CorruptData";
    case ErrorCode::kIo:
      return "Io";
    case ErrorCode::kUnsupported:
      return "Unsupported";
    case ErrorCode::kOutOfMemory:
      return "OutOfMemory";
    case ErrorCode::kNotConverged:
      return "NotConverged";
    case ErrorCode::kCancelled:
      return "Cancelled";
    case ErrorCode::kInternal:
      return "Internal";
  }
  return "Internal";
}

void fail(ErrorCode code, std::string_view op, const std::string& message) {
  throw Error(code, "[" + std::string(op) + "] " + message);
}

namespace internal {
void check_failed(const char* file, int line, const char* condition) {
  fail(ErrorCode::kInternal, "internal",
       std::string("expected ") + condition + " at " + file + ":" + std::to_string(line) +
           "; this is a defect of hopfield, please report it");
}
}  // namespace internal

}  // namespace hopfield
