// SPDX-License-Identifier: Apache-2.0
// The quantised products, compiled once per instruction set (PARLANCE_ISA names the namespace; no
// include guard on purpose). One template serves every format: a block's codes are unpacked into
// registers once and multiplied with a tile of tokens. Sums are exact integers inside 32 columns
// and floats across; their order does not depend on the tile, so a token's result is the same
// alone and in a batch.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA::quant {

using detail::quant_input;
using detail::quant_kind;
using detail::quant_layout;

// Four columns of a block, from where its codes begin.
template <quant_kind Kind, int G>
PARLANCE_ALWAYS_INLINE codes chunk(const std::uint8_t* p) {
  constexpr int bits = detail::layout_of(Kind).bits;
  if constexpr (bits == 8) {
    return load_codes(p + 64 * G);
  } else {
    codes c = load_codes(p + 64 * (G % 4));
    if constexpr (G >= 4) c = shift<-4>(c);
    c = masked(c, 15);
    if constexpr (bits == 5) c = join(c, shift<4 - G>(load_codes(p + 256)), 16);
    if constexpr (bits == 6)
      c = join(c, shift<4 - 2 * (G % 4)>(load_codes(p + 256 + 64 * (G / 4))), 48);
    return c;
  }
}

// A block of 16 rows x 32 columns: value = scale[i/16] * (code - zero) + shift.
template <quant_kind Kind>
struct block {
  static constexpr quant_layout layout = detail::layout_of(Kind);
  static constexpr bool has_shift = layout.scales == 64 || layout.header == 64;
  static constexpr bool two_scales = Kind == quant_kind::q6_k;
  static constexpr float zero = has_shift          ? 0
                                : layout.bits == 4 ? 8
                                : layout.bits == 5 ? 16
                                : layout.bits == 6 ? 32
                                                   : 128;
  const std::uint8_t* codes_at;
  row16 scale, second;  // `second` is the shift or the scale of columns 16..31

  PARLANCE_ALWAYS_INLINE void read(const std::uint8_t* p, const row16& d, const row16& m) {
    codes_at = p + layout.scales;
    if constexpr (layout.halves) {
      scale = from_f16(p);
      if constexpr (has_shift) second = from_f16(p + 32);
    } else if constexpr (two_scales) {
      scale = from_i8(p) * d;
      second = from_i8(p + 16) * d;
    } else {
      scale = from_u8(p) * d;
      second = from_u8(p + 16) * m;
    }
  }
  static PARLANCE_ALWAYS_INLINE void read_header(const std::uint8_t* p, row16& d, row16& m) {
    if constexpr (layout.header > 0) d = from_f16(p);
    if constexpr (layout.header == 64) m = from_f16(p + 32) * all(-1);
  }
  static PARLANCE_ALWAYS_INLINE std::int32_t start(const quant_input& x) {
    if constexpr (has_shift) return detail::lifted_zero;
    return layout.bits == 8 ? x.start8 : layout.bits == 4 ? x.start4 : x.start5;
  }
};

// r[p][t] = block b[p] times the activations of token x[t], without their scale.
template <quant_kind Kind, int Panels, int Tokens>
PARLANCE_ALWAYS_INLINE void products(const block<Kind>* b, const quant_input* x,
                                     row16 (*r)[Tokens]) {
  using block_type = block<Kind>;
  constexpr int bits = block_type::layout.bits;
  const auto code = [&](auto g, int p) { return chunk<Kind, decltype(g)::value>(b[p].codes_at); };
  if constexpr (block_type::two_scales) {
    row16 upper[Panels][Tokens];
    dots<bits, 4, Panels, Tokens>(
        code, [&](int t) { return x[t].start6[0]; }, [&](int t) { return x[t].q; }, r);
    dots<bits, 4, Panels, Tokens>(
        [&](auto g, int p) { return chunk<Kind, decltype(g)::value + 4>(b[p].codes_at); },
        [&](int t) { return x[t].start6[1]; }, [&](int t) { return x[t].q + 16; }, upper);
    PARLANCE_UNROLL
    for (int i = 0; i < Panels * Tokens; ++i) {
      const int p = i / Tokens, t = i % Tokens;
      r[p][t] = lowered(r[p][t], b[p].scale) + lowered(upper[p][t], b[p].second);
    }
  } else {
    dots<bits, 8, Panels, Tokens>(
        code, [&](int t) { return block_type::start(x[t]); }, [&](int t) { return x[t].q; }, r);
    PARLANCE_UNROLL
    for (int i = 0; i < Panels * Tokens; ++i) {
      const int p = i / Tokens, t = i % Tokens;
      r[p][t] = lowered(r[p][t], b[p].scale);
      if constexpr (block_type::has_shift) r[p][t] = fma(b[p].second, all(x[t].sum), r[p][t]);
    }
  }
}

PARLANCE_ALWAYS_INLINE void fetch_panel(const std::uint8_t* p, int bytes) {
  for (int byte = 0; byte < bytes; byte += 64) __builtin_prefetch(p + byte);
}

template <quant_kind Kind, int Tile, int Panels>
void panel(const detail::quant_panel_args& a) {
  using block_type = block<Kind>;
  constexpr quant_layout layout = block_type::layout;
  row16 sum[Panels][Tile], d[Panels], m[Panels];
  const std::uint8_t* at[Panels];
  PARLANCE_UNROLL
  for (int p = 0; p < Panels; ++p) {
    d[p] = m[p] = all(0);
    PARLANCE_UNROLL
    for (int t = 0; t < Tile; ++t) sum[p][t] = all(0);
  }
  const quant_input* x = a.x;
  const std::int64_t spans = a.blocks / layout.span, repeats = spans ? x->repeats : 0;
  std::int64_t until_fetch = a.next ? a.share : spans + repeats;
  for (std::int64_t s = 0; s < spans + repeats; ++s) {
    const bool once = s < spans;
    const std::int64_t first = once ? s * layout.span : x->repeats, inside = first % layout.span;
    const std::int64_t offset = layout.offset(first - inside) - layout.header;
    if (until_fetch-- == 0) {
      until_fetch = a.shares - 1;
      PARLANCE_UNROLL
      for (int p = 0; p < Panels; ++p)
        fetch_panel(a.next + p * a.panel_bytes + offset,
                    layout.header + layout.span * layout.block());
    }
    PARLANCE_UNROLL
    for (int p = 0; p < Panels; ++p) {
      at[p] = a.panel + p * a.panel_bytes + offset;
      block_type::read_header(at[p], d[p], m[p]);
      at[p] += layout.header + inside * layout.block();
    }
    const int count = once ? layout.span : 1;
    PARLANCE_NO_UNROLL
    for (int j = 0; j < count; ++j, x += Tile) {
      block_type b[Panels];
      row16 r[Panels][Tile];
      PARLANCE_UNROLL
      for (int p = 0; p < Panels; ++p) {
        b[p].read(at[p], d[p], m[p]);
        at[p] += layout.block();
      }
      products<Kind, Panels, Tile>(b, x, r);
      PARLANCE_UNROLL
      for (int k = 0; k < Panels * Tile; ++k) {
        const int p = k / Tile, t = k % Tile;
        sum[p][t] = fma(r[p][t], all(x[t].d), sum[p][t]);
      }
    }
  }
  PARLANCE_UNROLL
  for (int p = 0; p < Panels; ++p) {
    const int rows = p + 1 < Panels ? detail::panel_rows : a.rows - p * detail::panel_rows;
    const row16 bias = a.bias ? load_rows(a.bias + 16 * p, rows) : all(0);
    PARLANCE_UNROLL
    for (int t = 0; t < Tile; ++t)
      if (t < a.tokens) store_rows(a.y + t * a.ldy + 16 * p, sum[p][t] + bias, rows);
  }
}

template <quant_kind Kind>
void unpack(const std::uint8_t* panel, std::int64_t first, std::int64_t count, float* out) {
  using block_type = block<Kind>;
  constexpr quant_layout layout = block_type::layout;
  row16 d = all(0), m = all(0);
  for (std::int64_t i = first; i < first + count; ++i) {
    if (layout.header && (i == first || i % layout.span == 0))
      block_type::read_header(panel + layout.offset(i - i % layout.span) - layout.header, d, m);
    block_type b;
    b.read(panel + layout.offset(i), d, m);
    each_index<8>([&](auto g) {
      const row16 scale = block_type::two_scales && g >= 4 ? b.second : b.scale;
      const row16 shift = block_type::has_shift ? b.second : all(0);
      const codes w = chunk<Kind, decltype(g)::value>(b.codes_at);
      const auto put = [&](float* to, const row16& code) {
        store_rows(to, fma(code + all(-block_type::zero), scale, shift), 16);
      };
      put(out, code_values<0>(w));
      put(out + 16, code_values<1>(w));
      put(out + 32, code_values<2>(w));
      put(out + 48, code_values<3>(w));
      out += 64;
    });
  }
}

template <int Tile>
PARLANCE_ALWAYS_INLINE void multiply_tile(const detail::exact_args& a, std::int64_t first) {
  row16 sum[Tile];
  const float* const x = a.x + first * a.ldx;
  float* const y = a.y + first * a.ldy;
  PARLANCE_UNROLL
  for (int t = 0; t < Tile; ++t) sum[t] = load_rows(y + t * a.ldy, a.rows);
  for (std::int64_t k = 0; k < a.k; ++k) {
    const row16 w = load_rows(a.w + 16 * k, 16);
    PARLANCE_UNROLL
    for (int t = 0; t < Tile; ++t) sum[t] = fma(w, all(x[t * a.ldx + k]), sum[t]);
  }
  PARLANCE_UNROLL
  for (int t = 0; t < Tile; ++t) store_rows(y + t * a.ldy, sum[t], a.rows);
}

inline void multiply(const detail::exact_args& a) {
  constexpr int tile = sizeof(vf) == 64 ? 8 : 4;
  std::int64_t t = 0;
  for (; t + tile <= a.m; t += tile) multiply_tile<tile>(a, t);
  for (; t < a.m; ++t) multiply_tile<1>(a, t);
}

// One block of activations: q = x * 127 / max|x|, to nearest even. A block that holds an infinity
// or a NaN makes its scale a NaN, so that the result shows it.
PARLANCE_ALWAYS_INLINE void quantize_block(const float* x, quant_input& out) {
  constexpr int count = 32 / vf::lanes;
  vf v[count], top = zero();
  PARLANCE_UNROLL
  for (int i = 0; i < count; ++i) {
    v[i] = load(x + i * vf::lanes);
    top = max(top, max(v[i], zero() - v[i]));
  }
  const float peak = reduce_max(top);
  const bool valid = all_finite<count>(v);
  const float d = peak * (1.0f / 127), inverse = peak > 1e-30f && valid ? 127 / peak : 0;
  PARLANCE_UNROLL
  for (int i = 0; i < count; ++i) {
    vf r = inverse > 0 ? round(v[i] * set1(inverse)) : zero();
    r = max(min(r, set1(127)), set1(-127));
    store_bytes(out.q + i * vf::lanes, r);
  }
  const int low = sum_of_16(out.q), high = sum_of_16(out.q + 16), sum = low + high;
  out.d = inverse > 0 ? d : valid ? 0 : std::numeric_limits<float>::quiet_NaN();
  out.sum = static_cast<float>(sum);
  out.start8 = detail::lifted_zero - 128 * sum;
  out.start4 = detail::lifted_zero - 8 * sum;
  out.start5 = detail::lifted_zero - 16 * sum;
  out.start6[0] = detail::lifted_zero - 32 * low;
  out.start6[1] = detail::lifted_zero - 32 * high;
  out.repeats = 0;
}

// A block is repeated when its scale is this many times the mean of the token's. Cosines of a
// sentence encoder with 8-bit weights to the original's: at least 0.9991, without repeats 0.9979.
inline constexpr float outlier = 3;

// What rounding took off a block.
inline void quantize_rest(const float* x, const quant_input& rounded, quant_input& out) {
  float rest[32];
  for (int i = 0; i < 32; ++i) rest[i] = x[i] - rounded.d * static_cast<float>(rounded.q[i]);
  quantize_block(rest, out);
}

inline void quantize(const float* x, std::int64_t ldx, std::int64_t blocks, int tokens, int tile,
                     quant_input* out) {
  constexpr int most = 8;  // tokens of a tile
  float limit[most] = {};
  for (int t = 0; t < tile; ++t) {
    for (std::int64_t b = 0; b < blocks; ++b)
      if (t < tokens)
        quantize_block(x + t * ldx + 32 * b, out[b * tile + t]);
      else
        out[b * tile + t] = quant_input{};
    for (std::int64_t b = 0; b < blocks; ++b) limit[t] += out[b * tile + t].d;
    limit[t] *= outlier / static_cast<float>(blocks);
  }
  quant_input* again = out + blocks * tile;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const quant_input* const block = out + b * tile;
    unsigned large = 0;
    for (int t = 0; t < tokens; ++t) large |= static_cast<unsigned>(block[t].d > limit[t]) << t;
    if (!large) continue;
    for (int t = 0; t < tile; ++t) {
      again[t] = quant_input{};
      if (large >> t & 1) quantize_rest(x + t * ldx + 32 * b, block[t], again[t]);
    }
    again->repeats = static_cast<std::int32_t>(b);
    again += tile;
    ++out->repeats;
  }
}

template <quant_kind Kind>
constexpr void fill_table(detail::quant_kernels& table) {
  const int kind = static_cast<int>(Kind);
  const auto fill = [&]<int... I>(std::integer_sequence<int, I...>) {
    ((table.panel[kind][I] = &panel<Kind, tile_sizes[I], 1>), ...);
  };
  constexpr int count = std::size(tile_sizes);
  fill(std::make_integer_sequence<int, count>());
  table.several[kind] = &panel<Kind, tile_sizes[count - 1], panels_at_once>;
  table.unpack[kind] = &unpack<Kind>;
}

constexpr detail::quant_kernels make_table() {
  detail::quant_kernels table{};
  table.tile_count = std::size(tile_sizes);
  table.panels_at_once = panels_at_once;
  for (int i = 0; i < table.tile_count; ++i) table.tile[i] = tile_sizes[i];
  fill_table<quant_kind::q8_0>(table);
  fill_table<quant_kind::q4_0>(table);
  fill_table<quant_kind::q4_1>(table);
  fill_table<quant_kind::q5_0>(table);
  fill_table<quant_kind::q5_1>(table);
  fill_table<quant_kind::q4_k>(table);
  fill_table<quant_kind::q5_k>(table);
  fill_table<quant_kind::q6_k>(table);
  table.quantize = &quantize;
  table.multiply = &multiply;
  return table;
}
inline constexpr detail::quant_kernels table = make_table();

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA::quant
