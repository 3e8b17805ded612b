// SPDX-License-Identifier: Apache-2.0
// Memory for operands that kernels stream through.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#include "parlance/core/config.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace parlance::inline PARLANCE_ABI::kernels::detail {

// From `large` bytes on in large pages, where the system has them; otherwise aligned to cache lines.
// To be released by std::free.
inline void* allocate_aligned(std::size_t bytes, std::size_t large) {
  constexpr std::size_t page = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= large ? page : 64;
  const std::size_t size = bytes / alignment * alignment + alignment;
  void* const memory = std::aligned_alloc(alignment, size);
  if (!memory) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment == page) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
