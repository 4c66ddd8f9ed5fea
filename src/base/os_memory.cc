#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "hopfield/base/os.h"

namespace hopfield {

void prefer_large_pages(void* data, std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t before = (page - address % page) % page;
  if (bytes <= before) return;
  const std::size_t whole = (bytes - before) / page * page;
  constexpr std::size_t kLargePage = std::size_t{2} << 20;  // no more can come of less
  if (whole >= kLargePage) madvise(static_cast<char*>(data) + before, whole, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

}  // namespace hopfield
