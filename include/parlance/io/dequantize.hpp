// SPDX-License-Identifier: Apache-2.0
// The values of stored tensors as float or double, from every dtype of safetensors but complex
// numbers and from every tensor type of GGUF. Plain and sequential: computing with quantised
// weights without unpacking them is the kernels' business. Sources: see impl/small_floats.hpp,
// impl/ggml_blocks.hpp, impl/iq_blocks.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "parlance/core/error.hpp"
#include "parlance/core/float16.hpp"
#include "parlance/core/format.hpp"
#include "parlance/io/impl/ggml_blocks.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/impl/iq_blocks.hpp"
#include "parlance/io/impl/small_floats.hpp"
#include "parlance/io/tensor_source.hpp"
#include "parlance/kernels/quant_blocks.hpp"

namespace parlance::inline PARLANCE_ABI::io {

namespace detail {

using block_decoder = void (*)(const std::uint8_t*, float*);

// The decoder of a block format; null for those that the kernels decode.
inline block_decoder decoder_of(format f) {
  switch (f) {
    case format::q8_1:
      return decode_q8_1;
    case format::q8_k:
      return decode_q8_k;
    case format::q2_k:
      return decode_q2_k;
    case format::q3_k:
      return decode_q3_k;
    case format::iq2_xxs:
      return decode_iq2_xxs;
    case format::iq2_xs:
      return decode_iq2_xs;
    case format::iq2_s:
      return decode_iq2_s;
    case format::iq3_xxs:
      return decode_iq3_xxs;
    case format::iq3_s:
      return decode_iq3_s;
    case format::iq1_s:
      return decode_iq1_s;
    case format::iq1_m:
      return decode_iq1_m;
    case format::iq4_nl:
      return decode_iq4_nl;
    case format::iq4_xs:
      return decode_iq4_xs;
    case format::tq1_0:
      return decode_tq1_0;
    case format::tq2_0:
      return decode_tq2_0;
    case format::mxfp4:
      return decode_mxfp4;
    case format::nvfp4:
      return decode_nvfp4;
    case format::q1_0:
      return decode_q1_0;
    case format::q2_0:
      return decode_q2_0;
    default:
      return nullptr;
  }
}

inline void decode_blocks(format f, const std::uint8_t* bytes, float* out, std::int64_t n) {
  const block_decoder decode = decoder_of(f);
  if (!decode) return kernels::dequantize_row(f, bytes, out, n);
  const int block = info(f).block, size = info(f).bits / 8;
  for (std::int64_t i = 0; i < n / block; ++i) decode(bytes + i * size, out + i * block);
}

inline void decode_blocks(format f, const std::uint8_t* bytes, double* out, std::int64_t n) {
  constexpr std::int64_t most = 256;  // a multiple of every block
  std::array<float, most> part;
  for (std::int64_t i = 0; i < n; i += most) {
    const std::int64_t count = std::min(most, n - i);
    decode_blocks(f, bytes + i / info(f).block * (info(f).bits / 8), part.data(), count);
    std::copy(part.begin(), part.begin() + count, out + i);
  }
}

// Numbers of a whole number of bytes.
template <class Stored, class T>
void convert(const std::uint8_t* bytes, T* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = static_cast<T>(load<Stored>(bytes + i * static_cast<std::int64_t>(sizeof(Stored))));
}
template <class T>
void convert_f8(const std::uint8_t* bytes, T* out, std::int64_t n, float (*value)(std::uint8_t)) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = value(bytes[i]);
}
// Numbers of `bits` bits in a little-endian bit stream, from number `first` on.
template <class T>
void convert_packed(const std::uint8_t* bytes, std::int64_t first, T* out, std::int64_t n, int bits,
                    float (*value)(std::uint8_t)) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = (first + i) * bits;
    unsigned code = bytes[at / 8] >> (at % 8);
    if (at % 8 + bits > 8) code |= static_cast<unsigned>(bytes[at / 8 + 1]) << (8 - at % 8);
    out[i] = value(static_cast<std::uint8_t>(code & ((1u << bits) - 1)));
  }
}

// Elements [first, first + n) of a tensor's bytes; blocks begin at `first`.
template <class T>
void read_elements(const stored_tensor& t, std::int64_t first, std::int64_t n, T* out) {
  const auto* all = reinterpret_cast<const std::uint8_t*>(t.data.data());
  const auto* bytes = all + first / info(t.type).block * info(t.type).bits / 8;
  switch (t.type) {
    case format::f32:
      return convert<float>(bytes, out, n);
    case format::f64:
      return convert<double>(bytes, out, n);
    case format::f16:
      for (std::int64_t i = 0; i < n; ++i) out[i] = half_at(bytes + 2 * i);
      return;
    case format::bf16:
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<float>(bf16::from_bits(load<std::uint16_t>(bytes + 2 * i)));
      return;
    case format::boolean:
      for (std::int64_t i = 0; i < n; ++i) out[i] = bytes[i] ? 1 : 0;
      return;
    case format::u8:
      return convert<std::uint8_t>(bytes, out, n);
    case format::i8:
      return convert<std::int8_t>(bytes, out, n);
    case format::u16:
      return convert<std::uint16_t>(bytes, out, n);
    case format::i16:
      return convert<std::int16_t>(bytes, out, n);
    case format::u32:
      return convert<std::uint32_t>(bytes, out, n);
    case format::i32:
      return convert<std::int32_t>(bytes, out, n);
    case format::u64:
      return convert<std::uint64_t>(bytes, out, n);
    case format::i64:
      return convert<std::int64_t>(bytes, out, n);
    case format::f8_e5m2:
      return convert_f8(bytes, out, n, f8_e5m2_value);
    case format::f8_e4m3:
      return convert_f8(bytes, out, n, f8_e4m3_value);
    case format::f8_e8m0:
      return convert_f8(bytes, out, n, f8_e8m0_value);
    case format::f8_e4m3fnuz:
      return convert_f8(bytes, out, n, f8_e4m3fnuz_value);
    case format::f8_e5m2fnuz:
      return convert_f8(bytes, out, n, f8_e5m2fnuz_value);
    case format::f4:
      return convert_packed(all, first, out, n, 4, f4_value);
    case format::f6_e2m3:
      return convert_packed(all, first, out, n, 6, f6_e2m3_value);
    case format::f6_e3m2:
      return convert_packed(all, first, out, n, 6, f6_e3m2_value);
    case format::c64:
      throw unsupported_error("tensor " + in_quotes(t.name) + ": complex numbers have no float");
    default:
      return decode_blocks(t.type, bytes, out, n);
  }
}

// Checks that a tensor's bytes are as many as its shape needs.
inline void check_bytes(const stored_tensor& t) {
  const auto need = storage_bytes(t.type, static_cast<std::uint64_t>(t.dims.size()));
  if (need != t.data.size() || t.dims.cols() % info(t.type).block != 0)
    throw shape_error("tensor " + in_quotes(t.name) + " " + t.dims.to_string() + " of " +
                      std::string(name(t.type)) + " takes " + std::to_string(need) +
                      " bytes in whole blocks a row, got " + std::to_string(t.data.size()));
}

template <class T>
void read_rows(const stored_tensor& t, std::int64_t first_row, std::int64_t rows, T* out) {
  check_bytes(t);
  if (first_row < 0 || rows < 0 || first_row > t.dims.rows() || rows > t.dims.rows() - first_row)
    throw shape_error("tensor " + in_quotes(t.name) + " has " + std::to_string(t.dims.rows()) +
                      " rows, asked for " + std::to_string(rows) + " from row " +
                      std::to_string(first_row));
  if (t.data.empty()) return;
  read_elements(t, first_row * t.dims.cols(), rows * t.dims.cols(), out);
}

}  // namespace detail

// `rows` rows (a row runs along the last dimension) from `first_row` on.
inline void read_rows(const stored_tensor& t, std::int64_t first_row, std::int64_t rows,
                      float* out) {
  detail::read_rows(t, first_row, rows, out);
}
inline void read_rows(const stored_tensor& t, std::int64_t first_row, std::int64_t rows,
                      double* out) {
  detail::read_rows(t, first_row, rows, out);
}

// All values of a tensor, row-major; `out` has room for dims.size() numbers.
inline void read_floats(const stored_tensor& t, float* out) {
  detail::read_rows(t, 0, t.dims.rows(), out);
}
inline void read_floats(const stored_tensor& t, double* out) {
  detail::read_rows(t, 0, t.dims.rows(), out);
}

}  // namespace parlance::inline PARLANCE_ABI::io
