// SPDX-License-Identifier: Apache-2.0
// How quantised weights lie in memory for the kernels, for any instruction set: panels of 16 rows,
// read from front to back. 32 columns of a panel are a block:
//   scales   16 x f16 (q8_0 q4_0 q5_0), 16 x f16 scale and 16 x f16 minimum (q4_1 q5_1),
//            16 x u8 scale and 16 x u8 minimum (q4_k q5_k), 2 x 16 x i8 scale (q6_k)
//   codes    8 chunks [16 rows][4 columns]: bytes for q8_0 (biased by 128), else four times
//            64 bytes with chunk g in the low and chunk g+4 in the high nibble
//   plane    q5: 64 bytes whose bit g is the fifth bit of chunk g; q6_k: 2 x 64 bytes, bits 2j and
//            2j+1 of byte plane h are the upper bits of chunk 4h+j
// The k formats put 16 x f16 d (and 16 x f16 dmin) before every eight blocks. All values are kept
// exactly; sizes equal those of the files, except q4_k (4.625 bits a weight) and q5_k (5.625).
#pragma once

#include <cstdint>
#include <cstring>

#include "parlance/kernels/quant_blocks.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

inline constexpr int panel_rows = 16, chunk_bytes = 64;

struct quant_layout {
  int bits;     // of a code
  int span;     // blocks under one header
  int header;   // bytes of a header
  int scales;   // bytes of scales that open a block
  bool halves;  // scales are f16 (else one byte each)
  int planes;   // of 64 bytes after the nibbles

  constexpr int code_bytes() const { return bits == 8 ? 512 : 256; }
  constexpr int block() const { return scales + code_bytes() + planes * chunk_bytes; }
  constexpr std::int64_t panel(std::int64_t k) const {
    return k / 32 / span * (header + static_cast<std::int64_t>(span) * block());
  }
  // Where block i of a panel starts.
  constexpr std::int64_t offset(std::int64_t i) const {
    return i * block() + (i / span + 1) * header;
  }
};

// The same numbers as an index for tables of kernels.
enum class quant_kind : std::uint8_t { q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k };
inline constexpr int quant_kinds = 8;

inline constexpr quant_layout quant_layouts[quant_kinds] = {
    {8, 1, 0, 32, true, 0},   {4, 1, 0, 32, true, 0},   {4, 1, 0, 64, true, 0},
    {5, 1, 0, 32, true, 1},   {5, 1, 0, 64, true, 1},   {4, 8, 64, 32, false, 0},
    {5, 8, 64, 32, false, 1}, {6, 8, 32, 32, false, 2},
};
constexpr const quant_layout& layout_of(quant_kind k) { return quant_layouts[static_cast<int>(k)]; }

constexpr quant_kind kind_of(format f) {
  switch (f) {
    case format::q8_0:
      return quant_kind::q8_0;
    case format::q4_0:
      return quant_kind::q4_0;
    case format::q4_1:
      return quant_kind::q4_1;
    case format::q5_0:
      return quant_kind::q5_0;
    case format::q5_1:
      return quant_kind::q5_1;
    case format::q4_k:
      return quant_kind::q4_k;
    case format::q5_k:
      return quant_kind::q5_k;
    default:
      return quant_kind::q6_k;
  }
}

// Puts row r of block i into a panel that was zero before.
inline void put_codes(const quant_layout& l, const quant_codes& c, int r, std::int64_t i,
                      std::uint8_t* panel) {
  std::uint8_t* p = panel + l.offset(i);
  if (l.header && i % l.span == 0) {
    store_u16(p - l.header + 2 * r, c.d);
    if (l.header == 64) store_u16(p - l.header + 32 + 2 * r, c.m);
  }
  if (l.halves) {
    store_u16(p + 2 * r, c.d);
    if (l.scales == 64) store_u16(p + 32 + 2 * r, c.m);
  } else {
    p[r] = c.s[0];
    p[16 + r] = c.s[1];
  }
  p += l.scales + 4 * r;
  if (l.bits == 8) {
    for (int g = 0; g < 8; ++g) std::memcpy(p + chunk_bytes * g, c.q + 4 * g, 4);
    return;
  }
  for (int g = 0; g < 4; ++g)
    for (int j = 0; j < 4; ++j)
      p[chunk_bytes * g + j] =
          static_cast<std::uint8_t>((c.q[4 * g + j] & 15) | (c.q[4 * g + 16 + j] & 15) << 4);
  p += 256;
  const int per_byte = l.planes ? 8 / l.planes : 1, width = l.planes;
  for (int plane = 0; plane < l.planes; ++plane, p += chunk_bytes)
    for (int j = 0; j < 4; ++j) {
      unsigned byte = 0;
      for (int g = 0; g < per_byte; ++g)
        byte |= static_cast<unsigned>(c.q[4 * (plane * per_byte + g) + j] >> 4) << (width * g);
      p[j] = static_cast<std::uint8_t>(byte);
    }
}

// The reverse of put_codes.
inline void get_codes(const quant_layout& l, const std::uint8_t* panel, int r, std::int64_t i,
                      quant_codes& c) {
  const std::uint8_t* p = panel + l.offset(i);
  if (l.header) {
    const std::uint8_t* header = panel + l.offset(i - i % l.span) - l.header + 2 * r;
    c.d = load_u16(header);
    if (l.header == 64) c.m = load_u16(header + 32);
  }
  if (l.halves) {
    c.d = load_u16(p + 2 * r);
    if (l.scales == 64) c.m = load_u16(p + 32 + 2 * r);
  } else {
    c.s[0] = p[r];
    c.s[1] = p[16 + r];
  }
  p += l.scales + 4 * r;
  if (l.bits == 8) {
    for (int g = 0; g < 8; ++g) std::memcpy(c.q + 4 * g, p + chunk_bytes * g, 4);
    return;
  }
  for (int g = 0; g < 4; ++g)
    for (int j = 0; j < 4; ++j) {
      c.q[4 * g + j] = p[chunk_bytes * g + j] & 15;
      c.q[4 * g + 16 + j] = p[chunk_bytes * g + j] >> 4;
    }
  p += 256;
  const int per_byte = l.planes ? 8 / l.planes : 1, width = l.planes;
  for (int plane = 0; plane < l.planes; ++plane, p += chunk_bytes)
    for (int g = 0; g < per_byte; ++g)
      for (int j = 0; j < 4; ++j) {
        const int high = p[j] >> (width * g) & ((1 << width) - 1);
        std::uint8_t& q = c.q[4 * (plane * per_byte + g) + j];
        q = static_cast<std::uint8_t>(q | high << 4);
      }
}

// Fills one panel from `rows` (at most 16) rows of blocks.
inline void pack_panel(format f, const std::uint8_t* blocks, std::int64_t row_bytes, int rows,
                       std::int64_t k, std::uint8_t* panel) {
  const quant_layout& l = layout_of(kind_of(f));
  std::memset(panel, 0, static_cast<std::size_t>(l.panel(k)));
  quant_codes codes;
  for (std::int64_t i = 0; i < k / 32; ++i)
    for (int r = 0; r < rows; ++r) {
      read_codes(f, blocks + r * row_bytes, i, codes);
      put_codes(l, codes, r, i, panel);
    }
}

// An integer n with |n| < 2^22 added to these bits of 1.5 * 2^23 gives the float 1.5 * 2^23 + n:
// the integer sums start there, so that no conversion is needed. Scales have at most 19 significant
// bits, so their product with this float is exact and can be taken off again.
inline constexpr std::int32_t lifted_zero = 0x4B400000;
inline constexpr float lift = 0x1.8p23f;

// 32 activations as signed bytes, with what cancels the codes' bias: one cache line. Where one of
// them is an outlier the others have few bits left, so what rounding took off such a block follows
// behind all blocks, to be multiplied too (Dettmers et al., LLM.int8(), 2022, keep outliers apart).
// `repeats` of the tile's first token says in block 0 how many follow, in those which block it was.
struct alignas(64) quant_input {
  std::int8_t q[32];
  float d;              // value = d * q
  float sum;            // of q
  std::int32_t start8;  // lifted zero and -128, -8 and -16 times the sum
  std::int32_t start4, start5;
  std::int32_t start6[2];  // lifted zero and -32 times the sums of either half
  std::int32_t repeats;
};
static_assert(sizeof(quant_input) == 64);

// All panels of a matrix.
struct quant_panels {
  const std::uint8_t* first;
  std::int64_t bytes;  // of one panel
  quant_kind kind;
};

// Room for the blocks of a token and their repeats.
constexpr std::int64_t input_blocks(std::int64_t blocks) { return 2 * blocks; }

// A panel, or several that follow each other, times a tile of tokens. Block b of token t is
// x[b * tile + t].
struct quant_panel_args {
  const std::uint8_t* panel;
  std::int64_t panel_bytes;
  const quant_input* x;
  std::int64_t blocks;
  const float* bias;  // of these rows, or null
  float* y;
  std::int64_t ldy;
  int rows, tokens;  // that exist
  // Asks for every shares-th part of the panels after these, from part `share` on.
  const std::uint8_t* next = nullptr;
  std::int64_t share = 0, shares = 0;
};

// Dequantised 16 rows, `count` blocks from `first` on, column by column: out[column * 16 + row].
using quant_unpack = void (*)(const std::uint8_t* panel, std::int64_t first, std::int64_t count,
                              float* out);

// y[t][0..rows) += sum over k of x[t][k] * w[k * 16 + row].
struct exact_args {
  const float* x;
  std::int64_t ldx;
  const float* w;
  std::int64_t k;
  float* y;
  std::int64_t ldy, m;
  int rows;
};

inline constexpr int most_tiles = 5;

struct quant_kernels {
  int tile_count, panels_at_once;
  int tile[most_tiles];  // ascending numbers of tokens
  void (*panel[quant_kinds][most_tiles])(const quant_panel_args&);
  void (*several[quant_kinds])(const quant_panel_args&);  // panels_at_once with the largest tile
  void (*quantize)(const float* x, std::int64_t ldx, std::int64_t blocks, int tokens, int tile,
                   quant_input* out);
  quant_unpack unpack[quant_kinds];
  void (*multiply)(const exact_args&);
};

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
