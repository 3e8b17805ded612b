// SPDX-License-Identifier: Apache-2.0
// Products of few rows (a decoding step) have kernels of their own that read a weight once and sum
// in another order than those of many rows. Where a row's result must not depend on how many rows
// lie beside it, as in encoders, that choice is switched off.
#pragma once

#include <cstdint>
#include <utility>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {
inline std::int64_t& few_rows_limit() {
  thread_local std::int64_t limit = 32;
  return limit;
}
}  // namespace detail

// Up to this many rows take the kernels for few.
inline std::int64_t few_rows() { return detail::few_rows_limit(); }

// While alive, products that this thread starts take the kernels of many rows, so that each row has
// the same bits in every batch.
class one_row_path {
 public:
  one_row_path() : previous_(std::exchange(detail::few_rows_limit(), 0)) {}
  one_row_path(const one_row_path&) = delete;
  ~one_row_path() { detail::few_rows_limit() = previous_; }

 private:
  std::int64_t previous_;
};

}  // namespace parlance::inline PARLANCE_ABI::kernels
