// SPDX-License-Identifier: Apache-2.0
// How numbers are stored in files and in memory: one name for every element type of safetensors and
// every tensor type of GGUF. A block format stores `block` elements in `bytes` bytes.
// Sources: safetensors 0.5 dtype list; ggml tensor types (ids in io/gguf).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "parlance/core/error.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/core/shape.hpp"

namespace parlance::inline PARLANCE_ABI {

enum class format : std::uint8_t {
  f32,
  f16,
  bf16,
  f64,
  boolean,
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  c64,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  f4,
  f6_e2m3,
  f6_e3m2,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq2_xxs,
  iq2_xs,
  iq3_xxs,
  iq1_s,
  iq4_nl,
  iq3_s,
  iq2_s,
  iq4_xs,
  iq1_m,
  tq1_0,
  tq2_0,
  mxfp4,
  nvfp4,
  q1_0,
  q2_0,
};

struct format_info {
  format id;
  std::string_view name;
  int block;  // elements a block
  int bits;   // bits a block
};

inline constexpr std::array format_table = {
    format_info{format::f32, "f32", 1, 32},
    format_info{format::f16, "f16", 1, 16},
    format_info{format::bf16, "bf16", 1, 16},
    format_info{format::f64, "f64", 1, 64},
    format_info{format::boolean, "bool", 1, 8},
    format_info{format::u8, "u8", 1, 8},
    format_info{format::i8, "i8", 1, 8},
    format_info{format::u16, "u16", 1, 16},
    format_info{format::i16, "i16", 1, 16},
    format_info{format::u32, "u32", 1, 32},
    format_info{format::i32, "i32", 1, 32},
    format_info{format::u64, "u64", 1, 64},
    format_info{format::i64, "i64", 1, 64},
    format_info{format::c64, "c64", 1, 64},
    format_info{format::f8_e5m2, "f8_e5m2", 1, 8},
    format_info{format::f8_e4m3, "f8_e4m3", 1, 8},
    format_info{format::f8_e8m0, "f8_e8m0", 1, 8},
    format_info{format::f8_e4m3fnuz, "f8_e4m3fnuz", 1, 8},
    format_info{format::f8_e5m2fnuz, "f8_e5m2fnuz", 1, 8},
    format_info{format::f4, "f4", 1, 4},
    format_info{format::f6_e2m3, "f6_e2m3", 1, 6},
    format_info{format::f6_e3m2, "f6_e3m2", 1, 6},
    format_info{format::q4_0, "q4_0", 32, 18 * 8},
    format_info{format::q4_1, "q4_1", 32, 20 * 8},
    format_info{format::q5_0, "q5_0", 32, 22 * 8},
    format_info{format::q5_1, "q5_1", 32, 24 * 8},
    format_info{format::q8_0, "q8_0", 32, 34 * 8},
    format_info{format::q8_1, "q8_1", 32, 36 * 8},
    format_info{format::q2_k, "q2_k", 256, 84 * 8},
    format_info{format::q3_k, "q3_k", 256, 110 * 8},
    format_info{format::q4_k, "q4_k", 256, 144 * 8},
    format_info{format::q5_k, "q5_k", 256, 176 * 8},
    format_info{format::q6_k, "q6_k", 256, 210 * 8},
    format_info{format::q8_k, "q8_k", 256, 292 * 8},
    format_info{format::iq2_xxs, "iq2_xxs", 256, 66 * 8},
    format_info{format::iq2_xs, "iq2_xs", 256, 74 * 8},
    format_info{format::iq3_xxs, "iq3_xxs", 256, 98 * 8},
    format_info{format::iq1_s, "iq1_s", 256, 50 * 8},
    format_info{format::iq4_nl, "iq4_nl", 32, 18 * 8},
    format_info{format::iq3_s, "iq3_s", 256, 110 * 8},
    format_info{format::iq2_s, "iq2_s", 256, 82 * 8},
    format_info{format::iq4_xs, "iq4_xs", 256, 136 * 8},
    format_info{format::iq1_m, "iq1_m", 256, 56 * 8},
    format_info{format::tq1_0, "tq1_0", 256, 54 * 8},
    format_info{format::tq2_0, "tq2_0", 256, 66 * 8},
    format_info{format::mxfp4, "mxfp4", 32, 17 * 8},
    format_info{format::nvfp4, "nvfp4", 64, 36 * 8},
    format_info{format::q1_0, "q1_0", 128, 18 * 8},
    format_info{format::q2_0, "q2_0", 64, 18 * 8},
};

constexpr const format_info& info(format f) { return format_table[static_cast<std::size_t>(f)]; }
constexpr std::string_view name(format f) { return info(f).name; }
constexpr bool is_block_format(format f) { return info(f).block > 1; }

static_assert([] {
  for (std::size_t i = 0; i < format_table.size(); ++i)
    if (static_cast<std::size_t>(format_table[i].id) != i) return false;
  return true;
}());

// Bytes that `elements` numbers take. Throws where a row does not fill whole blocks or bytes, or
// the count overflows.
inline std::uint64_t storage_bytes(format f, std::uint64_t elements) {
  const format_info& i = info(f);
  std::uint64_t bits = 0;
  if (elements % static_cast<std::uint64_t>(i.block))
    throw shape_error(std::string(i.name) + ": " + std::to_string(elements) +
                      " elements are not a multiple of " + std::to_string(i.block));
  if (__builtin_mul_overflow(elements / static_cast<std::uint64_t>(i.block),
                             static_cast<std::uint64_t>(i.bits), &bits))
    throw shape_error(std::string(i.name) + ": byte count overflows");
  if (bits % 8) throw shape_error(std::string(i.name) + ": elements do not fill whole bytes");
  return bits / 8;
}

// The format of a name such as "q8_0"; an unknown name is an option_error with the nearest one.
inline format parse_format(std::string_view text) {
  std::array<std::string_view, format_table.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = format_table[i].name;
    if (names[i] == text) return format_table[i].id;
  }
  throw option_error("unknown format '" + std::string(text) + "'", did_you_mean(text, names));
}

}  // namespace parlance::inline PARLANCE_ABI
