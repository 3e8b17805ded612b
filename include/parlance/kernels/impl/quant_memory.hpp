// SPDX-License-Identifier: Apache-2.0
// Memory for quantised weights (large pages where the system has them, since they are streamed once
// a token) and the reusable buffer of quantised activations of a thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "parlance/kernels/impl/aligned_memory.hpp"
#include "parlance/kernels/impl/quant_layout.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

inline std::shared_ptr<std::uint8_t> allocate_panels(std::size_t bytes) {
  void* const memory = allocate_aligned(bytes, std::size_t{4} << 20);
  return {static_cast<std::uint8_t*>(memory), [](std::uint8_t* p) { std::free(p); }};
}

class input_buffer {
 public:
  // Room for `count` blocks; what was there before is lost.
  quant_input* get(std::int64_t count) {
    if (count > size_) {
      memory_.reset();
      size_ = 0;
      memory_.reset(new quant_input[static_cast<std::size_t>(count)]);
      size_ = count;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<quant_input[]> memory_;
  std::int64_t size_ = 0;
};

// Belongs to the thread that calls `linear`; its workers only read it.
inline input_buffer& input_scratch() {
  thread_local input_buffer buffer;
  return buffer;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
