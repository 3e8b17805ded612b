// SPDX-License-Identifier: Apache-2.0
// The matrix products of attention, compiled once per instruction set (PARLANCE_ISA names the
// namespace; no include guard on purpose). C[m][n] (+)= A * B where B has vectors of columns at
// b + step * p (rows of values, or key pages of 16 columns that lie `page` apart) and A is read
// element by element at a[m * RowStride + p * InnerStride], both strides constant.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

struct tile_shape {
  // Rows x vectors that fill the registers of the instruction set: 32 of them, else 16.
  static constexpr int rows = vf::lanes == 16 ? 12 : 6;
  static constexpr int few_rows = 4;
  static constexpr int few_vectors = vf::lanes == 16 ? 4 : 2;
};

template <class E>
struct tile_b {
  const E* data;
  std::int64_t step, page;

  PARLANCE_ALWAYS_INLINE tile_b at(std::int64_t vector) const {
    const std::int64_t column = vector * vf::lanes;
    return {data + column / 16 * page + column % 16, step, page};
  }
};

template <int Rows, int Vectors, int RowStride, int InnerStride, class E>
void tile(std::int64_t inner, const float* a, const tile_b<E> b, float* c, std::int64_t ldc,
          bool accumulate) {
  vf sum[Rows][Vectors];
  PARLANCE_UNROLL
  for (int m = 0; m < Rows; ++m) PARLANCE_UNROLL
  for (int j = 0; j < Vectors; ++j)
    sum[m][j] = accumulate ? load(c + m * ldc + j * vf::lanes) : zero();
  const E* row = b.data;
  const std::int64_t step = b.step, page = b.page;
  for (std::int64_t p = 0; p < inner; ++p, row += step, a += InnerStride) {
    vf x[Vectors];
    PARLANCE_UNROLL
    for (int j = 0; j < Vectors; ++j)
      x[j] = load(row + j * vf::lanes / 16 * page + j * vf::lanes % 16);
    PARLANCE_UNROLL
    for (int m = 0; m < Rows; ++m) {
      const vf y = set1(a[m * RowStride]);
      PARLANCE_UNROLL
      for (int j = 0; j < Vectors; ++j) sum[m][j] = fma(y, x[j], sum[m][j]);
    }
  }
  PARLANCE_UNROLL
  for (int m = 0; m < Rows; ++m) PARLANCE_UNROLL
  for (int j = 0; j < Vectors; ++j) store(c + m * ldc + j * vf::lanes, sum[m][j]);
}

// Rows are rounded up to a third of the tile (the caller has room); a_row is the distance of rows
// in A, which may be packed in groups of tile_shape::rows.
template <int RowStride, int InnerStride>
void product(std::int64_t rows, std::int64_t vectors, std::int64_t inner, const float* a,
             std::int64_t a_row, const tile_b<float> b, float* c, std::int64_t ldc,
             bool accumulate) {
  constexpr int full = tile_shape::rows, third = full / 3;
  for (std::int64_t j = 0; j < vectors; j += 2) {
    const tile_b<float> columns = b.at(j);
    const bool pair = j + 1 < vectors;
    for (std::int64_t r = 0; r < rows; r += full) {
      const float* from = a + r * a_row;
      float* to = c + r * ldc + j * vf::lanes;
      const auto run = [&](auto* two, auto* one) {
        (pair ? two : one)(inner, from, columns, to, ldc, accumulate);
      };
      if (rows - r > 2 * third)
        run(&tile<full, 2, RowStride, InnerStride, float>,
            &tile<full, 1, RowStride, InnerStride, float>);
      else if (rows - r > third)
        run(&tile<2 * third, 2, RowStride, InnerStride, float>,
            &tile<2 * third, 1, RowStride, InnerStride, float>);
      else
        run(&tile<third, 2, RowStride, InnerStride, float>,
            &tile<third, 1, RowStride, InnerStride, float>);
    }
  }
}

// Any number of rows, meant for few: B is converted as it is read, once per four rows.
template <int RowStride, int InnerStride, class E>
void few_rows_product(std::int64_t rows, std::int64_t vectors, std::int64_t inner, const float* a,
                      std::int64_t a_row, const tile_b<E> b, float* c, std::int64_t ldc,
                      bool accumulate) {
  constexpr int many = tile_shape::few_vectors;
  for (std::int64_t j = 0; j < vectors;) {
    const tile_b<E> columns = b.at(j);
    const bool wide = j + many <= vectors;
    for (std::int64_t r = 0; r < rows; r += 4) {
      const float* from = a + r * a_row;
      float* to = c + r * ldc + j * vf::lanes;
      const auto run = [&](auto* some, auto* one) {
        (wide ? some : one)(inner, from, columns, to, ldc, accumulate);
      };
      switch (std::min<std::int64_t>(rows - r, 4)) {
        case 4:
          run(&tile<4, many, RowStride, InnerStride, E>, &tile<4, 1, RowStride, InnerStride, E>);
          break;
        case 3:
          run(&tile<3, many, RowStride, InnerStride, E>, &tile<3, 1, RowStride, InnerStride, E>);
          break;
        case 2:
          run(&tile<2, many, RowStride, InnerStride, E>, &tile<2, 1, RowStride, InnerStride, E>);
          break;
        default:
          run(&tile<1, many, RowStride, InnerStride, E>, &tile<1, 1, RowStride, InnerStride, E>);
      }
    }
    j += wide ? many : 1;
  }
}

// Query rows times `factor` in packed groups [group][head_dim][Width]; rows missing at the end of
// the last group become zero.
template <int Width>
void pack_rows(const detail::head_rows from, std::int64_t first, std::int64_t rows, float factor,
               float* to) {
  const std::int64_t d = from.head_dim;
  for (std::int64_t r = 0; r < rows; r += Width, to += d * Width)
    for (int m = 0; m < Width; ++m) {
      if (r + m < rows) {
        const float* row = from.at(first + r + m);
        for (std::int64_t c = 0; c < d; ++c) to[c * Width + m] = row[c] * factor;
      } else {
        for (std::int64_t c = 0; c < d; ++c) to[c * Width + m] = 0;
      }
    }
}

// Keys or values of dense rows as pages of 16 positions, the last page filled up with zeros.
inline void pack_pages(const float* rows, std::int64_t ld, std::int64_t n, std::int64_t d,
                       float* pages) {
  for (std::int64_t at = 0; at < n; at += 16, pages += d * 16)
    for (std::int64_t i = 0; i < 16; ++i) {
      if (at + i < n) {
        const float* row = rows + (at + i) * ld;
        for (std::int64_t c = 0; c < d; ++c) pages[c * 16 + i] = row[c];
      } else {
        for (std::int64_t c = 0; c < d; ++c) pages[c * 16 + i] = 0;
      }
    }
}

// n rows of d elements as floats with `padded` columns, the added ones zero.
template <class E>
void unpack_rows(const E* rows, std::int64_t ld, std::int64_t n, std::int64_t d, float* to,
                 std::int64_t padded) {
  for (std::int64_t i = 0; i < n; ++i, rows += ld, to += padded) {
    std::int64_t c = 0;
    for (; c + vf::lanes <= d; c += vf::lanes) store(to + c, load(rows + c));
    for (; c < d; ++c) to[c] = float(rows[c]);
    for (; c < padded; ++c) to[c] = 0;
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
