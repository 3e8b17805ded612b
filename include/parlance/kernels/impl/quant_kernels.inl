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

PARLANCE_ALWAYS_INLINE void read_bytes(const std::uint8_t* p, codes* w) {
  PARLANCE_UNROLL
  for (int g = 0; g < 8; ++g) w[g] = load_codes(p + 64 * g);
}
PARLANCE_ALWAYS_INLINE void read_nibbles(const std::uint8_t* p, codes* w) {
  PARLANCE_UNROLL
  for (int g = 0; g < 4; ++g) {
    const codes c = load_codes(p + 64 * g);
    w[g] = masked(c, 15);
    w[g + 4] = masked(shift<-4>(c), 15);
  }
}
PARLANCE_ALWAYS_INLINE void join_fifth_bits(const std::uint8_t* p, codes* w) {
  const codes c = load_codes(p);
  w[0] = join(w[0], shift<4>(c), 16);
  w[1] = join(w[1], shift<3>(c), 16);
  w[2] = join(w[2], shift<2>(c), 16);
  w[3] = join(w[3], shift<1>(c), 16);
  w[4] = join(w[4], c, 16);
  w[5] = join(w[5], shift<-1>(c), 16);
  w[6] = join(w[6], shift<-2>(c), 16);
  w[7] = join(w[7], shift<-3>(c), 16);
}
PARLANCE_ALWAYS_INLINE void join_upper_pairs(const std::uint8_t* p, codes* w) {
  const codes c = load_codes(p);
  w[0] = join(w[0], shift<4>(c), 48);
  w[1] = join(w[1], shift<2>(c), 48);
  w[2] = join(w[2], c, 48);
  w[3] = join(w[3], shift<-2>(c), 48);
}

// A block of 16 rows x 32 columns in registers: value = scale[i/16] * (code - zero) + shift.
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
  codes w[8];
  row16 scale, second;  // `second` is the shift or the scale of columns 16..31

  PARLANCE_ALWAYS_INLINE void read(const std::uint8_t* p, const row16& d, const row16& m) {
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
    p += layout.scales;
    if constexpr (layout.bits == 8)
      read_bytes(p, w);
    else
      read_nibbles(p, w);
    if constexpr (layout.bits == 5) join_fifth_bits(p + 256, w);
    if constexpr (layout.bits == 6) {
      join_upper_pairs(p + 256, w);
      join_upper_pairs(p + 320, w + 4);
    }
  }
  static PARLANCE_ALWAYS_INLINE void read_header(const std::uint8_t* p, row16& d, row16& m) {
    if constexpr (layout.header > 0) d = from_f16(p);
    if constexpr (layout.header == 64) m = from_f16(p + 32) * all(-1);
  }
  static PARLANCE_ALWAYS_INLINE std::int32_t start(const quant_input& x) {
    if constexpr (has_shift) return 0;
    return layout.bits == 8 ? x.bias8 : layout.bits == 4 ? x.bias4 : x.bias5;
  }
  PARLANCE_ALWAYS_INLINE row16 product(const quant_input& x) const {
    if constexpr (two_scales) {
      const row16 first = dot<6, 4>(x.bias6[0], w, x.q) * scale;
      return fma(dot<6, 4>(x.bias6[1], w + 4, x.q + 16), second, first);
    }
    const row16 r = dot<layout.bits, 8>(start(x), w, x.q) * scale;
    if constexpr (has_shift) return fma(second, all(x.sum), r);
    return r;
  }
};

template <quant_kind Kind, int Tile>
void panel(const detail::quant_panel_args& a) {
  using block_type = block<Kind>;
  constexpr quant_layout layout = block_type::layout;
  row16 sum[Tile], d = all(0), m = all(0);
  PARLANCE_UNROLL
  for (int t = 0; t < Tile; ++t) sum[t] = all(0);
  const std::uint8_t* p = a.panel;
  const quant_input* x = a.x;
  for (std::int64_t i = 0; i < a.blocks; i += layout.span) {
    block_type::read_header(p, d, m);
    p += layout.header;
    PARLANCE_NO_UNROLL
    for (int j = 0; j < layout.span; ++j, p += layout.block(), x += Tile) {
      block_type b;
      b.read(p, d, m);
      PARLANCE_UNROLL
      for (int t = 0; t < Tile; ++t) sum[t] = fma(b.product(x[t]), all(x[t].d), sum[t]);
    }
  }
  const row16 bias = a.bias ? load_rows(a.bias, a.rows) : all(0);
  PARLANCE_UNROLL
  for (int t = 0; t < Tile; ++t)
    if (t < a.tokens) store_rows(a.y + t * a.ldy, sum[t] + bias, a.rows);
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
    for (int g = 0; g < 8; ++g, out += 64) {
      const row16 scale = block_type::two_scales && g >= 4 ? b.second : b.scale;
      const row16 shift = block_type::has_shift ? b.second : all(0);
      const auto put = [&](float* to, const row16& code) {
        store_rows(to, fma(code + all(-block_type::zero), scale, shift), 16);
      };
      put(out, code_values<0>(b.w[g]));
      put(out + 16, code_values<1>(b.w[g]));
      put(out + 32, code_values<2>(b.w[g]));
      put(out + 48, code_values<3>(b.w[g]));
    }
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
  vf v[count], top = zero(), invalid = zero();
  PARLANCE_UNROLL
  for (int i = 0; i < count; ++i) {
    v[i] = load(x + i * vf::lanes);
    top = max(top, max(v[i], zero() - v[i]));
    invalid = fma(v[i], zero(), invalid);
  }
  const float peak = reduce_max(top), check = reduce_add(invalid);
  const float d = peak * (1.0f / 127), inverse = peak > 1e-30f && check == 0 ? 127 / peak : 0;
  float half[2] = {0, 0};
  PARLANCE_UNROLL
  for (int i = 0; i < count; ++i) {
    vf r = inverse > 0 ? round(v[i] * set1(inverse)) : zero();
    r = max(min(r, set1(127)), set1(-127));
    half[i * 2 / count] += reduce_add(r);
    store_bytes(out.q + i * vf::lanes, r);
  }
  const int low = static_cast<int>(half[0]), high = static_cast<int>(half[1]), sum = low + high;
  out.d = inverse > 0 ? d : check;
  out.sum = static_cast<float>(sum);
  out.bias8 = -128 * sum;
  out.bias4 = -8 * sum;
  out.bias5 = -16 * sum;
  out.bias6[0] = -32 * low;
  out.bias6[1] = -32 * high;
  out.unused = 0;
}

inline void quantize(const float* x, std::int64_t ldx, std::int64_t blocks, int tokens, int tile,
                     quant_input* out) {
  for (int t = 0; t < tile; ++t)
    for (std::int64_t b = 0; b < blocks; ++b)
      if (t < tokens)
        quantize_block(x + t * ldx + 32 * b, out[b * tile + t]);
      else
        out[b * tile + t] = quant_input{};
}

template <quant_kind Kind>
constexpr void fill_table(detail::quant_kernels& table) {
  const int kind = static_cast<int>(Kind);
  const auto fill = [&]<int... I>(std::integer_sequence<int, I...>) {
    ((table.panel[kind][I] = &panel<Kind, tile_sizes[I]>), ...);
  };
  fill(std::make_integer_sequence<int, std::size(tile_sizes)>());
  table.unpack[kind] = &unpack<Kind>;
}

constexpr detail::quant_kernels make_table() {
  detail::quant_kernels table{};
  table.tile_count = std::size(tile_sizes);
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
