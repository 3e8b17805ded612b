// SPDX-License-Identifier: Apache-2.0
// What the driver of the packed matrix product hands to the kernels of an instruction set, and the
// scratch memory both use. "Words" are 32 bits: one f32, or two bf16 neighbours along k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "parlance/core/config.hpp"
#include "parlance/kernels/impl/aligned_memory.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

// One chunk of a product: C (m x n) (+)= op(A) op(B) (+ bias).
struct gemm_args {
  const float* a;
  std::int64_t lda;
  const void* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  const float* bias;
  std::int64_t m, n, k;
  std::int64_t k_first;  // where this chunk begins in B
  std::int64_t k_block;  // even; what is summed in registers before C is touched
  float* packed_a;
  bool trans_a, trans_b, accumulate;
};

struct gemm_kernels {
  int rows, columns;       // of the accumulator tile
  std::int64_t most_rows;  // of a chunk
  std::int64_t most_k;
  std::int64_t most_k_block;  // summed before C is touched
  int parts_a, parts_b;       // numbers that stand for one of an operand
  int numbers_per_word;       // along k
  // Packs the panels [first, last) of `rows` rows each, all k blocks.
  void (*pack_a)(const gemm_args&, std::int64_t first, std::int64_t last);
  // Columns [j0, j1) of the row panels [first, last); `packed_b` holds one k block of the columns.
  void (*block)(const gemm_args&, std::int64_t j0, std::int64_t j1, std::int64_t first,
                std::int64_t last, float* packed_b);
};

// Products of few rows whose sums are those of gemm_kernels, bit by bit.
struct few_rows_kernels {
  std::int64_t most_rows = 0;  // 0: there are none
  // From here on they outdo gemv_kernels.
  std::int64_t fewest_rows = std::numeric_limits<std::int64_t>::max();
  int block = 0;  // rows of A packed together, and columns of C a step
  std::int64_t most_k_block = 0;
  int words_a = 0, words_b = 0;  // packed, of 32 numbers along k of a block
  // Packs the blocks [first, last) of rows.
  void (*pack_a)(const gemm_args&, std::int64_t first, std::int64_t last) = nullptr;
  // Columns [j0, j1) of C; `packed_b` holds one k block.
  void (*columns)(const gemm_args&, std::int64_t j0, std::int64_t j1, float* packed_b) = nullptr;
};

// y (m x n) = x W^T for few rows x. x is packed: words, rows padded with zeros to `ldx` words.
struct gemv_args {
  const float* x;
  std::int64_t ldx;
  const void* w;
  std::int64_t ldw;
  const float* bias;
  float* y;
  std::int64_t ldy;
  std::int64_t m, k;
  bool accumulate;
};

struct gemv_kernels {
  int pad;  // numbers of x a step covers
  int numbers_per_word;
  void (*pack_x)(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t k, float* packed,
                 std::int64_t stride);
  void (*rows)(const gemv_args&, std::int64_t first, std::int64_t last);
};

// Memory that grows and stays with the thread, so that steady state allocates nothing.
class scratch {
 public:
  float* get(std::int64_t words) {
    if (words > words_) {
      memory_.reset();
      words_ = 0;
      memory_.reset(static_cast<float*>(allocate_aligned(
          static_cast<std::size_t>(words) * sizeof(float), std::size_t{256} << 10)));
      words_ = words;
    }
    return memory_.get();
  }

 private:
  struct release {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], release> memory_;
  std::int64_t words_ = 0;
};

// The left operand, shared by the workers of a call, and the right one, private to a worker.
inline scratch& left_scratch() {
  thread_local scratch memory;
  return memory;
}
inline scratch& right_scratch() {
  thread_local scratch memory;
  return memory;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
