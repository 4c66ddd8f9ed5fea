#ifndef HOPFIELD_BASE_ERROR_H_
#define HOPFIELD_BASE_ERROR_H_

#include <stdexcept>
#include <string>
#include <string_view>

namespace hopfield {

/// What kind of failure an `Error` reports. The program maps it to its exit status, Python to an
/// exception class.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller's arguments contradict the contract
  kCorruptData,      ///< a file or stream does not hold what it claims
  kIo,               ///< the system refused: missing file, full disk, permission
  kUnsupported,      ///< a legal wish that this build or combination cannot grant
  kOutOfMemory,
  kNotConverged,
  kCancelled,
  kInternal,  ///< our own fault: please report
};

/// Name of the code as in the enumeration, without the k: "InvalidArgument".
std::string_view error_code_name(ErrorCode code);

/// The only exception this library throws on purpose. `what()` reads
/// "[op] expected ..., got ...; remedy".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Throws Error{code, "[op] message"}.
[[noreturn]] void fail(ErrorCode code, std::string_view op, const std::string& message);

/// Throws kInvalidArgument with "[op] message" unless `ok`. The message is built by the caller, so
/// keep this off hot paths.
inline void require(bool ok, std::string_view op, const std::string& message) {
  if (!ok) fail(ErrorCode::kInvalidArgument, op, message);
}

namespace internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace internal

}  // namespace hopfield

/// Our own invariants at module borders; always on; throws kInternal.
#define HOPFIELD_CHECK(condition) \
  ((condition) ? (void)0 : ::hopfield::internal::check_failed(__FILE__, __LINE__, #condition))

/// The same in hot loops; compiled out with NDEBUG.
#ifdef NDEBUG
#define HOPFIELD_DCHECK(condition) ((void)0)
#else
#define HOPFIELD_DCHECK(condition) HOPFIELD_CHECK(condition)
#endif

#endif  // HOPFIELD_BASE_ERROR_H_
