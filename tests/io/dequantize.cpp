// SPDX-License-Identifier: Apache-2.0
#include "parlance/io/dequantize.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "parlance/io/safetensors.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;
using parlance::format;

namespace {

// The byte stream of tests/reference/io_blocks.py.
std::string splitmix(std::size_t bytes, std::uint64_t state) {
  std::string out;
  while (out.size() < bytes) {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    out += raw(z ^ (z >> 31));
  }
  out.resize(bytes);
  return out;
}

std::uint64_t fnv(const void* data, std::size_t n) {
  std::uint64_t h = 0xCBF29CE484222325;
  for (std::size_t i = 0; i < n; ++i)
    h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001B3;
  return h;
}

struct block_case {
  const char* name;
  std::vector<std::size_t> halves;  // where binary16 scales lie
};

// In the order of the script, which seeds by position.
const std::vector<block_case> cases = {
    {"q4_0", {0}},      {"q4_1", {0, 2}}, {"q5_0", {0}},    {"q5_1", {0, 2}}, {"q8_0", {0}},
    {"q2_k", {80, 82}}, {"q3_k", {108}},  {"q4_k", {0, 2}}, {"q5_k", {0, 2}}, {"q6_k", {208}},
    {"iq2_xxs", {0}},   {"iq2_xs", {0}},  {"iq3_xxs", {0}}, {"iq1_s", {0}},   {"iq4_nl", {0}},
    {"iq3_s", {0}},     {"iq2_s", {0}},   {"iq4_xs", {0}},  {"iq1_m", {54}},  {"tq1_0", {52}},
    {"tq2_0", {64}},    {"mxfp4", {}},    {"nvfp4", {}},    {"q1_0", {0}},    {"q2_0", {0}},
    {"q8_k", {2}}};

io::stored_tensor tensor_of(format f, parlance::shape dims, std::string_view bytes) {
  return {"t", f, dims, bytes_of(bytes), nullptr, "memory"};
}

}  // namespace

TEST_CASE("dequantize: every block format of GGUF, bit for bit as gguf and ggml") {
  const auto reference = io::open_safetensors(data / "blocks.safetensors");
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const std::string name = cases[k].name;
    CAPTURE(name);
    const format f = parlance::parse_format(name);
    const auto size = static_cast<std::size_t>(parlance::info(f).bits / 8);
    const std::int64_t block = parlance::info(f).block, many = 512;
    std::string bytes = splitmix(size * many, k);
    for (std::int64_t b = 0; b < many; ++b)
      for (const std::size_t at : cases[k].halves)
        bytes[static_cast<std::size_t>(b) * size + at + 1] &= static_cast<char>(0xBF);

    const io::stored_tensor& first = reference->at(name + ".bytes");
    REQUIRE(bytes.substr(0, size) == io::detail::as_text(first.data));
    const auto t = tensor_of(f, {many / 2, 2 * block}, bytes);
    std::vector<float> values(static_cast<std::size_t>(many * block));
    io::read_floats(t, values.data());
    if (!io::detail::decoder_of(f))  // the kernels do not keep the sign of zero
      for (float& v : values) v += 0.0f;
    std::vector<float> expected(static_cast<std::size_t>(block));
    io::read_floats(reference->at(name + ".values"), expected.data());
    if (!io::detail::decoder_of(f))
      for (float& v : expected) v += 0.0f;
    CHECK(std::memcmp(values.data(), expected.data(), 4 * expected.size()) == 0);
    const std::uint64_t hash = std::stoull(reference->metadata().at(name), nullptr, 16);
    CHECK(fnv(values.data(), 4 * values.size()) == hash);

    std::vector<double> wide(values.size());
    io::read_floats(t, wide.data());
    CHECK(std::equal(wide.begin(), wide.end(), values.begin()));
    std::vector<float> rows(static_cast<std::size_t>(6 * block));
    io::read_rows(t, 5, 3, rows.data());
    CHECK(std::equal(rows.begin(), rows.end(), values.begin() + 10 * block));
  }
}

TEST_CASE("dequantize: q8_1 is its scale times its bytes") {
  std::string bytes = raw<std::uint16_t>(0x3800) + raw<std::uint16_t>(0x1234);  // d = 0.5
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i * 8 - 128);
  std::vector<float> values(32);
  io::read_floats(tensor_of(format::q8_1, {32}, bytes), values.data());
  for (int i = 0; i < 32; ++i)
    CHECK(values[static_cast<std::size_t>(i)] == 0.5f * static_cast<float>(i * 8 - 128));
}

TEST_CASE("dequantize: all codes of the small floats as in ml_dtypes") {
  const auto reference = io::open_safetensors(data / "blocks.safetensors");
  for (const char* name : {"f8_e4m3", "f8_e5m2", "f8_e4m3fnuz", "f8_e5m2fnuz", "f8_e8m0", "f6_e2m3",
                           "f6_e3m2", "f4"}) {
    CAPTURE(name);
    const format f = parlance::parse_format(name);
    const int bits = parlance::info(f).bits, codes = 1 << bits;
    std::string bytes(static_cast<std::size_t>(codes * bits / 8), '\0');
    for (int i = 0; i < codes * bits; ++i)  // code i in bits [bits * i, bits * (i + 1))
      if ((i / bits >> (i % bits)) & 1)
        bytes[static_cast<std::size_t>(i / 8)] |= static_cast<char>(1 << (i % 8));
    std::vector<float> got(static_cast<std::size_t>(codes)), want(got.size());
    io::read_floats(tensor_of(f, {codes}, bytes), got.data());
    io::read_floats(reference->at(name), want.data());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i);
      if (std::isnan(want[i]))
        CHECK(std::isnan(got[i]));
      else
        CHECK(std::memcmp(&got[i], &want[i], 4) == 0);
    }
  }
}

TEST_CASE("read_rows: packed rows that begin inside a byte") {
  const std::string bytes = "\x10\x32\x54";  // codes 0 1 2 3 4 5
  float row[3];
  io::read_rows(tensor_of(format::f4, {2, 3}, bytes), 1, 1, row);
  CHECK(row[0] == 1.5f);
  CHECK(row[1] == 2.0f);
  CHECK(row[2] == 3.0f);
}

TEST_CASE("read_rows: bounds and sizes are checked") {
  const std::string bytes(24, '\0');
  float out[6];
  const auto t = tensor_of(format::f32, {2, 3}, bytes);
  io::read_rows(t, 2, 0, out);
  CHECK_THROWS_AS(io::read_rows(t, 1, 2, out), parlance::shape_error);
  CHECK_THROWS_AS(io::read_rows(t, -1, 1, out), parlance::shape_error);
  CHECK_THROWS_AS(io::read_rows(t, 1, -1, out), parlance::shape_error);
  CHECK_THROWS_AS(io::read_rows(t, INT64_MAX, INT64_MAX, out), parlance::shape_error);
  CHECK_THROWS_AS(io::read_floats(tensor_of(format::f32, {7}, bytes), out), parlance::shape_error);
  CHECK_THROWS_AS(io::read_floats(tensor_of(format::q8_0, {31}, bytes), out),
                  parlance::shape_error);
}
