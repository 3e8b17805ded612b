// SPDX-License-Identifier: Apache-2.0
#include "parlance/kernels/quant_blocks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "parlance/core/json.hpp"

namespace {

using parlance::format;
namespace kernels = parlance::kernels;

const parlance::json& reference() {
  static const parlance::json data = [] {
    std::ifstream file(PARLANCE_TEST_DATA "/kernels/quant_blocks.json");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    return parlance::parse_json(text, "quant_blocks.json");
  }();
  return data;
}

std::vector<std::uint8_t> bytes_of(const parlance::json& hex) {
  const auto text = hex.get<std::string>();
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}
std::vector<float> floats_of(const parlance::json& hex) {
  const auto bytes = bytes_of(hex);
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

double error_of(format f, const std::vector<std::uint8_t>& blocks, const std::vector<float>& x,
                std::size_t begin, std::size_t end) {
  std::vector<float> y(x.size());
  kernels::dequantize_row(f, blocks.data(), y.data(), static_cast<std::int64_t>(y.size()));
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += std::pow(double(x[i]) - y[i], 2);
  return std::sqrt(sum / double(end - begin));
}

}  // namespace

TEST_CASE("quant_blocks: values equal those of gguf") {
  for (const char* id : {"q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k"}) {
    CAPTURE(id);
    const auto blocks = bytes_of(reference()["formats"][id]["blocks"]);
    const auto expected = floats_of(reference()["formats"][id]["values"]);
    REQUIRE(expected.size() == 512);
    std::vector<float> got(512, 99.f);
    kernels::dequantize_row(parlance::parse_format(id), blocks.data(), got.data(), 512);
    for (std::size_t i = 0; i < 512; ++i) REQUIRE(got[i] == expected[i]);
  }
}

TEST_CASE("quant_blocks: q8_0 and q4_0 quantise to the bytes of gguf") {
  const auto x = floats_of(reference()["weights"]);
  for (const char* id : {"q8_0", "q4_0"}) {
    CAPTURE(id);
    const auto expected = bytes_of(reference()["quantized"][id]);
    std::vector<std::uint8_t> got(expected.size());
    kernels::quantize_row(parlance::parse_format(id), x.data(), got.data(),
                          static_cast<std::int64_t>(x.size()));
    CHECK(got == expected);
  }
}

TEST_CASE("quant_blocks: q4_k is as close to the weights as ggml's") {
  const auto x = floats_of(reference()["weights"]);
  const auto original = bytes_of(reference()["quantized"]["q4_k"]);
  std::vector<std::uint8_t> got(original.size());
  kernels::quantize_row(format::q4_k, x.data(), got.data(), static_cast<std::int64_t>(x.size()));
  std::size_t equal = 0;
  for (std::size_t i = 0; i < got.size(); ++i) equal += got[i] == original[i];
  // The search is the same; only float contraction may tip a rounding.
  CHECK(double(equal) > 0.97 * double(got.size()));
  for (std::size_t row = 0; row < x.size(); row += 256) {
    CAPTURE(row);
    CHECK(error_of(format::q4_k, got, x, row, row + 256) <=
          1.001 * error_of(format::q4_k, original, x, row, row + 256));
  }
}

TEST_CASE("quant_blocks: f32, f16 and bf16 rows") {
  const float x[3] = {1.5f, -0.25f, 65504.f};
  float y[3];
  kernels::dequantize_row(format::f32, x, y, 3);
  CHECK(y[2] == 65504.f);
  parlance::f16 h[3];
  parlance::bf16 b[3];
  for (int i = 0; i < 3; ++i) h[i] = parlance::f16(x[i]), b[i] = parlance::bf16(x[i]);
  kernels::dequantize_row(format::f16, h, y, 3);
  for (int i = 0; i < 3; ++i) CHECK(y[i] == x[i]);
  kernels::dequantize_row(format::bf16, b, y, 3);
  CHECK(y[0] == 1.5f);
  CHECK(y[2] == 65536.f);
}

TEST_CASE("quant_blocks: wrong sizes, formats and values are errors") {
  std::vector<float> x(256, 1.f);
  std::vector<std::uint8_t> bytes(1024);
  CHECK_THROWS_AS(kernels::dequantize_row(format::q8_0, bytes.data(), x.data(), 33),
                  parlance::shape_error);
  CHECK_THROWS_AS(kernels::dequantize_row(format::q4_k, bytes.data(), x.data(), 32),
                  parlance::shape_error);
  CHECK_THROWS_AS(kernels::dequantize_row(format::q8_0, bytes.data(), x.data(), -32),
                  parlance::shape_error);
  CHECK_THROWS_AS(kernels::dequantize_row(format::iq2_xs, bytes.data(), x.data(), 256),
                  parlance::unsupported_error);
  CHECK_THROWS_AS(kernels::quantize_row(format::q6_k, x.data(), bytes.data(), 256),
                  parlance::unsupported_error);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    x[7] = bad;
    CHECK_THROWS_AS(kernels::quantize_row(format::q8_0, x.data(), bytes.data(), 256),
                    parlance::option_error);
  }
}

TEST_CASE("quant_blocks: extreme finite weights stay defined") {
  std::vector<std::uint8_t> bytes(1024);
  for (const float size : {1e38f, 1e-45f, 1e-38f, 3e5f}) {
    std::vector<float> x(256);
    for (std::size_t i = 0; i < 256; ++i) x[i] = i % 3 ? size : -size;
    for (const format f : {format::q8_0, format::q4_0, format::q4_k})
      CHECK_NOTHROW(kernels::quantize_row(f, x.data(), bytes.data(), 256));
  }
}
