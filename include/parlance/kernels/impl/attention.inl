// SPDX-License-Identifier: Apache-2.0
// Attention over blocks of keys with a running softmax (Milakov and Gimelshein 2018; Dao et al.,
// FlashAttention, 2022), compiled once per instruction set (PARLANCE_ISA names the namespace; no
// include guard on purpose). All heads of a group are rows of the same block, so keys and values
// are read once for the whole group.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

// tanh to an absolute error of some 1e-7, enough for soft caps.
PARLANCE_ALWAYS_INLINE vf tanh_of(vf x) {
  return set1(1.0f) - set1(2.0f) / (exp(x + x) + set1(1.0f));
}

// to[c] += from[c] for the columns [begin, end) only: a row of a bias has no padding.
PARLANCE_ALWAYS_INLINE void add_columns(float* to, const float* from, std::int64_t begin,
                                        std::int64_t end) {
  std::int64_t c = begin;
  for (; c + vf::lanes <= end; c += vf::lanes) store(to + c, load(to + c) + load(from + c));
  for (; c < end; ++c) to[c] += from[c];
}

struct flash_block {
  std::int64_t rows, padded_rows, d, padded_d;
  float *q, *scores, *out, *max, *sum, *k, *v;  // k, v: room for unpacked keys and values
  bool few;

  template <class E>
  flash_block(const detail::flash_item<E>& item, std::int64_t queries)
      : rows(queries * item.q.group),
        d(item.q.head_dim),
        padded_d(detail::round_up(d, 16)),
        few(rows <= detail::few_block_rows) {
    constexpr bool is_float = std::is_same_v<E, float>;
    padded_rows = detail::round_up(rows, tile_shape::rows);
    const std::int64_t width = detail::score_block;
    const std::int64_t k_size = few || is_float ? 0 : width * d;
    const std::int64_t v_size = item.v_padded && (few || is_float) ? 0 : width * padded_d;
    const std::int64_t q_rows = few ? detail::round_up(rows, 4) : padded_rows;
    const std::int64_t q_size = detail::round_up(q_rows * d, 16);
    const std::int64_t s_size = padded_rows * detail::score_stride;
    const std::int64_t o_size = padded_rows * padded_d;
    q = detail::attention_scratch(detail::attention_slot::rows,
                                  q_size + s_size + o_size + 2 * padded_rows + k_size + v_size);
    scores = q + q_size;
    out = scores + s_size;
    max = out + o_size;
    sum = max + padded_rows;
    k = sum + padded_rows;
    v = k + k_size;
  }

  void start(const detail::head_rows& from, std::int64_t first, float scale) {
    if (few)
      pack_rows<4>(from, first, rows, scale, q);
    else
      pack_rows<tile_shape::rows>(from, first, rows, scale, q);
    std::fill_n(out, padded_rows * padded_d, 0.0f);
    std::fill_n(max, padded_rows, -std::numeric_limits<float>::infinity());
    std::fill_n(sum, padded_rows, 0.0f);
  }

  // scores = q * keys for `columns` (a multiple of 16) positions of whole pages.
  template <class E>
  void multiply_keys(const E* pages, std::int64_t columns) {
    const std::int64_t vectors = columns / vf::lanes;
    if (few) {
      few_rows_scores(rows, columns, d, q, pages, scores, detail::score_stride);
      return;
    }
    const float* floats = k;
    if constexpr (std::is_same_v<E, float>)
      floats = pages;
    else
      for (std::int64_t i = 0; i < columns * d; i += vf::lanes) store(k + i, load(pages + i));
    product<1, tile_shape::rows>(rows, vectors, d, q, d, {floats, 16, 16 * d}, scores,
                                 detail::score_stride, false);
  }

  // out += weights * values for n positions, the first of them at `column` of the block.
  template <class E>
  void multiply_values(const E* from, std::int64_t ld, bool in_place, std::int64_t column,
                       std::int64_t n) {
    const float* weights = scores + column;
    const std::int64_t vectors = padded_d / vf::lanes, stride = detail::score_stride;
    if (few && in_place) {
      few_rows_values<detail::score_stride, E>(rows, vectors, n, weights, {from, ld, 16}, out,
                                               padded_d);
      return;
    }
    tile_b<float> b{v, padded_d, 16};
    bool unpacked = true;
    if constexpr (std::is_same_v<E, float>) {
      if (in_place) {
        b = {from, ld, 16};
        unpacked = false;
      }
    }
    if (unpacked) unpack_rows(from, ld, n, d, v, padded_d);
    if (few)
      few_rows_values<detail::score_stride, float>(rows, vectors, n, weights, b, out, padded_d);
    else
      product<detail::score_stride, 1>(rows, vectors, n, weights, stride, b, out, padded_d, true);
  }

  // Turns row r of the scores into weights. Only the columns [begin, end) of `columns` are visible;
  // the others may hold anything and get weight 0. `bias`: of these columns, or null.
  void soften(std::int64_t r, std::int64_t begin, std::int64_t end, std::int64_t columns,
              float softcap, const float* bias) {
    float* s = scores + r * detail::score_stride;
    if (begin >= end) {
      std::fill_n(s, columns, 0.0f);
      return;
    }
    if (bias) add_columns(s, bias, begin, end);
    if (softcap > 0) {
      const vf cap = set1(softcap), inverse = set1(1 / softcap);
      for (std::int64_t c = 0; c < columns; c += vf::lanes)
        store(s + c, cap * tanh_of(load(s + c) * inverse));
    }
    const bool masked = begin > 0 || end < columns;
    if (masked) hide(s, begin, end, columns, -std::numeric_limits<float>::infinity());
    vf highest = load(s);
    for (std::int64_t c = vf::lanes; c < columns; c += vf::lanes)
      highest = kernels::PARLANCE_ISA::max(highest, load(s + c));
    raise_max(r, reduce_max(highest));
    const vf top = set1(max[r]);
    vf total = zero();
    for (std::int64_t c = 0; c < columns; c += vf::lanes) {
      const vf weight = exp(load(s + c) - top);
      store(s + c, weight);
      total = total + weight;
    }
    if (masked) hide(s, begin, end, columns, 0);
    sum[r] += reduce_add(total);
  }

 private:
  static void hide(float* s, std::int64_t begin, std::int64_t end, std::int64_t columns,
                   float value) {
    std::fill(s, s + begin, value);
    std::fill(s + end, s + columns, value);
  }
  void raise_max(std::int64_t r, float highest) {
    if (!(highest > max[r])) return;
    const bool first = sum[r] == 0;
    const vf shrink = exp(set1(max[r] - highest));
    max[r] = highest;
    if (first) return;
    sum[r] *= reduce_max(shrink);
    float* o = out + r * padded_d;
    for (std::int64_t c = 0; c < padded_d; c += vf::lanes) store(o + c, load(o + c) * shrink);
  }
};

// The sums of a block as results: out / sum, and the logarithm of the sum of exponentials.
template <class E>
void write_block(const detail::flash_item<E>& item, const flash_block& block, std::int64_t first) {
  const int group = item.q.group;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t query = first + r / group, head = r % group;
    const float sum = block.sum[r], inverse = sum > 0 ? 1 / sum : 0;
    const float* from = block.out + r * block.padded_d;
    float* to = item.out + query * item.ldo + head * block.d;
    for (std::int64_t c = 0; c < block.d; ++c) to[c] = from[c] * inverse;
    if (item.lse)
      item.lse[head * item.lse_stride + query] =
          sum > 0 ? block.max[r] + std::log(sum) : -std::numeric_limits<float>::infinity();
  }
}

template <class E>
void flash_queries(const detail::flash_item<E>& item, std::int64_t first, std::int64_t queries) {
  flash_block block(item, queries);
  block.start(item.q, first * item.q.group, item.scale);
  const std::int64_t position = item.position + first, d = block.d;
  const std::int64_t begin = std::max(item.begin, item.keys.begin(position));
  const std::int64_t end = std::min(item.end, item.keys.end(position + queries - 1));
  const std::int64_t step = block.few ? detail::score_block : detail::score_block / 2;
  for (std::int64_t at = begin - begin % 16; at < end; at += step) {
    const std::int64_t stop = std::min(at + step, end), columns = detail::round_up(stop - at, 16);
    block.multiply_keys(item.k + at * d, columns);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      const std::int64_t i = position + r / item.q.group;
      const std::int64_t from = std::max(begin, item.keys.begin(i)) - at;
      const float* bias =
          item.bias ? item.bias.at(first + r / item.q.group, r % item.q.group) + at : nullptr;
      block.soften(r, std::max<std::int64_t>(from, 0), std::min(stop, item.keys.end(i)) - at,
                   columns, item.softcap, bias);
    }
    // Only positions that some row sees: the others may never have been written.
    const std::int64_t seen = std::max(at, begin);
    block.multiply_values(item.v + seen * item.ldv, item.ldv, item.v_padded, seen - at,
                          stop - seen);
  }
  if (!item.partial) return write_block(item, block, first);
  std::copy_n(block.max, block.rows, item.partial);
  std::copy_n(block.sum, block.rows, item.partial + block.rows);
  std::copy_n(block.out, block.rows * block.padded_d, item.partial + 2 * block.rows);
}

// All queries of an item, in blocks. An item with `partial` has a single block.
template <class E>
void flash(const detail::flash_item<E>& item) {
  if (item.partial) return flash_queries(item, 0, item.n);
  const std::int64_t step = std::max<std::int64_t>(1, detail::block_rows / item.q.group);
  for (std::int64_t first = 0; first < item.n; first += step)
    flash_queries(item, first, std::min(step, item.n - first));
}

// Adds up the shares of the keys in their order: partials [shares][maxima, sums, outputs].
inline void merge_shares(const detail::merge_item& item) {
  const std::int64_t rows = item.n * item.group, d = item.head_dim;
  const std::int64_t padded = detail::round_up(d, 16);
  const std::int64_t size = detail::partial_size(rows, item.head_dim);
  for (std::int64_t r = 0; r < rows; ++r) {
    float top = -std::numeric_limits<float>::infinity();
    for (std::int64_t s = 0; s < item.shares; ++s) top = std::max(top, item.partial[s * size + r]);
    float* to = item.out + r / item.group * item.ldo + r % item.group * d;
    std::fill_n(to, d, 0.0f);
    float sum = 0;
    for (std::int64_t s = 0; s < item.shares; ++s) {
      const float* share = item.partial + s * size;
      if (!(share[rows + r] > 0)) continue;
      const float weight = reduce_max(exp(set1(share[r] - top)));
      sum += weight * share[rows + r];
      const float* from = share + 2 * rows + r * padded;
      for (std::int64_t c = 0; c < d; ++c) to[c] += weight * from[c];
    }
    const float inverse = sum > 0 ? 1 / sum : 0;
    for (std::int64_t c = 0; c < d; ++c) to[c] *= inverse;
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
