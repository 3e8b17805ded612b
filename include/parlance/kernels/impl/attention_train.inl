// SPDX-License-Identifier: Apache-2.0
// Attention over dense rows, forward and backward (Dao et al., FlashAttention, 2022, algorithm 4:
// the weights are computed again from the log-sum-exp of their rows), compiled once per instruction
// set (PARLANCE_ISA names the namespace; no include guard on purpose).

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

inline void dense_forward(const detail::dense_item& dense) {
  const std::int64_t d = dense.q.head_dim, padded = detail::round_up(d, 16);
  const std::int64_t begin = dense.keys.key_begin - dense.keys.key_begin % 16;
  const std::int64_t end = std::max(begin, dense.keys.end(dense.position + dense.n - 1));
  const std::int64_t size = detail::round_up(end - begin, 16);
  float* k = detail::attention_scratch(detail::attention_slot::keys, size * (d + padded));
  float* v = k + size * d;
  pack_pages(dense.k + begin * dense.ldk, dense.ldk, end - begin, d, k);
  detail::flash_item<float> item{};
  item.q = dense.q;
  item.out = dense.out;
  item.ldo = dense.ldo;
  item.k = k - begin * d;
  item.v = dense.v;
  item.ldv = dense.ldv;
  if (padded != d) {
    unpack_rows(dense.v + begin * dense.ldv, dense.ldv, end - begin, d, v, padded);
    item.v = v - begin * padded;
    item.ldv = padded;
  }
  item.v_padded = true;
  item.scale = dense.scale;
  item.softcap = dense.softcap;
  item.bias = dense.bias;
  item.keys = dense.keys;
  item.position = dense.position;
  item.n = dense.n;
  item.begin = begin;
  item.end = end;
  item.lse = dense.lse;
  item.lse_stride = dense.lse_stride;
  flash(item);
}

// Keys and values of one kv head in the forms that the products need, and the sums of their
// gradients; then the same for a block of queries.
struct backward_keys {
  std::int64_t n, padded_n, d, padded_d;
  float *k_pages, *v_pages, *k_rows, *dk, *dv;

  explicit backward_keys(const detail::dense_item& item)
      : n(item.s),
        padded_n(detail::round_up(n, 16)),
        d(item.q.head_dim),
        padded_d(detail::round_up(d, 16)) {
    k_pages = detail::attention_scratch(detail::attention_slot::keys, 5 * padded_n * padded_d);
    v_pages = k_pages + padded_n * padded_d;
    k_rows = v_pages + padded_n * padded_d;
    dk = k_rows + padded_n * padded_d;
    dv = dk + padded_n * padded_d;
    pack_pages(item.k, item.ldk, n, d, k_pages);
    pack_pages(item.v, item.ldv, n, d, v_pages);
    unpack_rows(item.k, item.ldk, n, d, k_rows, padded_d);
    std::fill_n(dk, 2 * padded_n * padded_d, 0.0f);
  }
};

struct backward_queries {
  std::int64_t rows, padded_rows, d, padded_d;
  float *q_packed, *g_packed, *q_rows, *g_rows, *dq, *weights, *slopes, *delta;

  backward_queries(const detail::dense_item& item, std::int64_t first, std::int64_t queries)
      : rows(queries * item.q.group),
        padded_rows(detail::round_up(rows, tile_shape::rows)),
        d(item.q.head_dim),
        padded_d(detail::round_up(d, 16)) {
    const std::int64_t size = padded_rows * padded_d;
    const std::int64_t scores = padded_rows * detail::score_stride;
    q_packed =
        detail::attention_scratch(detail::attention_slot::rows, 5 * size + 2 * scores + rows);
    g_packed = q_packed + size;
    q_rows = g_packed + size;
    g_rows = q_rows + size;
    dq = g_rows + size;
    weights = dq + size;
    slopes = weights + scores;
    delta = slopes + scores;
    const std::int64_t row = first * item.q.group;
    pack_rows<tile_shape::rows>(item.q, row, rows, item.scale, q_packed);
    pack_rows<tile_shape::rows>(item.gradient, row, rows, 1, g_packed);
    std::fill_n(dq, size, 0.0f);
    for (std::int64_t r = 0; r < rows; ++r) {
      unpack_rows(item.q.at(row + r), 0, 1, d, q_rows + r * padded_d, padded_d);
      unpack_rows(item.gradient.at(row + r), 0, 1, d, g_rows + r * padded_d, padded_d);
      const float *g = item.gradient.at(row + r), *o = item.result.at(row + r);
      float sum = 0;
      for (std::int64_t c = 0; c < d; ++c) sum += g[c] * o[c];
      delta[r] = sum;
    }
  }

  // Scores and products with the values in row r become weights and the gradient of the scores.
  // `bias`, `dbias`: of these columns, or null.
  void differentiate(std::int64_t r, std::int64_t begin, std::int64_t end, std::int64_t columns,
                     float lse, float softcap, const float* bias, float* dbias) {
    float *w = weights + r * detail::score_stride, *ds = slopes + r * detail::score_stride;
    if (begin >= end) {
      std::fill_n(w, columns, 0.0f);
      std::fill_n(ds, columns, 0.0f);
      return;
    }
    if (bias) add_columns(w, bias, begin, end);
    const vf top = set1(lse), mean = set1(delta[r]), one = set1(1.0f);
    const vf cap = set1(softcap), inverse = set1(softcap > 0 ? 1 / softcap : 0.0f);
    for (std::int64_t c = 0; c < columns; c += vf::lanes) {
      vf score = load(w + c), slope = one;
      if (softcap > 0) {
        const vf bent = tanh_of(score * inverse);
        slope = one - bent * bent;
        score = cap * bent;
      }
      const vf weight = exp(score - top);
      store(w + c, weight);
      store(ds + c, weight * (load(ds + c) - mean) * slope);
    }
    for (float* x : {w, ds}) {
      std::fill(x, x + begin, 0.0f);
      std::fill(x + end, x + columns, 0.0f);
    }
    if (dbias) add_columns(dbias, ds, begin, end);
  }
};

inline void backward_block(const backward_keys& keys, backward_queries& queries, std::int64_t at,
                           std::int64_t stop, std::int64_t seen) {
  constexpr int stride = detail::score_stride;
  const std::int64_t ld = keys.padded_d, vectors = ld / vf::lanes;
  const std::int64_t columns = detail::round_up(stop - at, 16), rows = queries.rows;
  product<1, stride>(columns, vectors, rows, queries.weights, 1, {queries.g_rows, ld, 16},
                     keys.dv + at * ld, ld, true);
  product<1, stride>(columns, vectors, rows, queries.slopes, 1, {queries.q_rows, ld, 16},
                     keys.dk + at * ld, ld, true);
  product<stride, 1>(rows, vectors, stop - seen, queries.slopes + (seen - at), stride,
                     {keys.k_rows + seen * ld, ld, 16}, queries.dq, ld, true);
}

inline void backward_queries_block(const detail::dense_item& item, const backward_keys& keys,
                                   std::int64_t first, std::int64_t n) {
  constexpr int stride = detail::score_stride, step = detail::score_block / 2;
  backward_queries queries(item, first, n);
  const std::int64_t position = item.position + first, d = keys.d, group = item.q.group;
  const std::int64_t begin = item.keys.begin(position), end = item.keys.end(position + n - 1);
  for (std::int64_t at = begin - begin % 16; at < end; at += step) {
    const std::int64_t stop = std::min(at + step, end), columns = detail::round_up(stop - at, 16);
    product<1, tile_shape::rows>(queries.rows, columns / vf::lanes, d, queries.q_packed, d,
                                 {keys.k_pages + at * d, 16, 16 * d}, queries.weights, stride,
                                 false);
    product<1, tile_shape::rows>(queries.rows, columns / vf::lanes, d, queries.g_packed, d,
                                 {keys.v_pages + at * d, 16, 16 * d}, queries.slopes, stride,
                                 false);
    for (std::int64_t r = 0; r < queries.rows; ++r) {
      const std::int64_t i = position + r / group;
      const std::int64_t from = std::max<std::int64_t>(item.keys.begin(i) - at, 0);
      const float lse = item.lse[r % group * item.lse_stride + first + r / group];
      const std::int64_t query = first + r / group, head = r % group;
      queries.differentiate(r, from, std::min(stop, item.keys.end(i)) - at, columns, lse,
                            item.softcap, item.bias ? item.bias.at(query, head) + at : nullptr,
                            item.dbias ? item.dbias.at(query, head) + at : nullptr);
    }
    backward_block(keys, queries, at, stop, std::max(at, begin));
  }
  for (std::int64_t r = 0; r < queries.rows; ++r) {
    float* to = item.dq + (first + r / group) * item.ldo + r % group * d;
    for (std::int64_t c = 0; c < d; ++c) to[c] = queries.dq[r * keys.padded_d + c] * item.scale;
  }
}

// The gradients of one kv head and its group of heads.
inline void dense_backward(const detail::dense_item& item) {
  const backward_keys keys(item);
  const std::int64_t step = std::max<std::int64_t>(1, detail::block_rows / item.q.group);
  for (std::int64_t first = 0; first < item.n; first += step)
    backward_queries_block(item, keys, first, std::min(step, item.n - first));
  const std::int64_t d = keys.d;
  for (std::int64_t j = 0; j < item.s; ++j)
    for (std::int64_t c = 0; c < d; ++c) {
      item.dk[j * item.ldd + c] = keys.dk[j * keys.padded_d + c] * item.scale;
      item.dv[j * item.ldd + c] = keys.dv[j * keys.padded_d + c];
    }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
