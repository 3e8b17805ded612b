// SPDX-License-Identifier: Apache-2.0
// Shapes, and the table of storage formats against the block structs of ggml-common.h, field by
// field.
#include <doctest/doctest.h>

#include "parlance/core/format.hpp"
#include "parlance/core/shape.hpp"

using namespace parlance;

TEST_CASE("shape: dimensions, rows, columns") {
  const shape none, two{3, 4}, three{2, 3, 4};
  CHECK(none.rank() == 0);
  CHECK(none.empty());
  CHECK(none.size() == 1);
  CHECK(none.rows() == 1);
  CHECK(none.cols() == 1);
  CHECK(none.to_string() == "[]");
  CHECK(shape{5}.rows() == 1);
  CHECK(shape{5}.cols() == 5);
  CHECK(two.size() == 12);
  CHECK(three.rank() == 3);
  CHECK(three.rows() == 6);
  CHECK(three.cols() == 4);
  CHECK(three[0] == 2);
  CHECK(three[-1] == 4);
  CHECK(three[-3] == 2);
  CHECK(to_string(three) == "[2, 3, 4]");
  CHECK(two == shape{3, 4});
  CHECK_FALSE(two == shape{4, 3});
  CHECK_FALSE(two == shape{3, 4, 1});
  CHECK_FALSE(none == shape{1});
  std::int64_t product = 1;
  for (const std::int64_t d : three) product *= d;
  CHECK(product == 24);
  shape changed = three;
  changed[-1] = 7;
  CHECK(changed == shape{2, 3, 7});
  CHECK(shape{0, 3}.size() == 0);
  CHECK(shape{3, 0}.rows() == 3);
  static_assert(shape{2, 3}.size() == 6);
}

TEST_CASE("shape: what is refused") {
  CHECK_THROWS_AS((shape{1, -1}), shape_error);
  shape full{1, 1, 1, 1, 1, 1, 1, 1};
  CHECK(full.rank() == shape::max_rank);
  CHECK_THROWS_AS(full.push_back(1), shape_error);
  const std::int64_t big = std::int64_t{1} << 32;
  CHECK((shape{big, big / 4}.size()) == std::int64_t{1} << 62);
  CHECK_THROWS_AS((shape{big, big / 2}.size()), shape_error);  // 2^63
  CHECK_THROWS_AS((shape{big, big, big}.size()), shape_error);
}

TEST_CASE("formats: blocks and bytes of the GGUF types") {
  struct expected {
    const char* name;
    int block, bytes;
  };
  constexpr int half = 2, single = 4, k = 256;
  const expected types[] = {
      {"f32", 1, 4},
      {"f16", 1, 2},
      {"bf16", 1, 2},
      {"f64", 1, 8},
      {"i8", 1, 1},
      {"i16", 1, 2},
      {"i32", 1, 4},
      {"i64", 1, 8},
      {"q4_0", 32, half + 32 / 2},
      {"q4_1", 32, 2 * half + 32 / 2},
      {"q5_0", 32, half + 4 + 32 / 2},
      {"q5_1", 32, 2 * half + 4 + 32 / 2},
      {"q8_0", 32, half + 32},
      {"q8_1", 32, 2 * half + 32},
      {"q2_k", k, k / 16 + k / 4 + 2 * half},
      {"q3_k", k, k / 8 + k / 4 + 12 + half},
      {"q4_k", k, 2 * half + 12 + k / 2},
      {"q5_k", k, 2 * half + 12 + k / 8 + k / 2},
      {"q6_k", k, k / 2 + k / 4 + k / 16 + half},
      {"q8_k", k, single + k + k / 16 * 2},
      {"iq2_xxs", k, half + k / 8 * 2},
      {"iq2_xs", k, half + k / 8 * 2 + k / 32},
      {"iq2_s", k, half + k / 4 + k / 32 + k / 32},
      {"iq3_xxs", k, half + 3 * k / 8},
      {"iq3_s", k, half + k / 4 + k / 32 + k / 8 + k / 64},
      {"iq1_s", k, half + k / 8 + k / 32 * 2},
      {"iq1_m", k, k / 8 + k / 16 + k / 32},
      {"iq4_nl", 32, half + 32 / 2},
      {"iq4_xs", k, half + 2 + k / 64 + k / 2},
      {"tq1_0", k, half + k / 64 + (k - 4 * k / 64) / 5},
      {"tq2_0", k, half + k / 4},
      {"mxfp4", 32, 1 + 32 / 2},
      {"nvfp4", 64, 64 / 16 + 64 / 2},
      {"q1_0", 128, half + 128 / 8},
  };
  for (const expected& e : types) {
    CAPTURE(e.name);
    const format f = parse_format(e.name);
    CHECK(name(f) == e.name);
    CHECK(info(f).block == e.block);
    CHECK(info(f).bits == e.bytes * 8);
    CHECK(is_block_format(f) == (e.block > 1));
    CHECK(storage_bytes(f, 0) == 0);
    CHECK(storage_bytes(f, static_cast<std::uint64_t>(7 * e.block)) ==
          static_cast<std::uint64_t>(7 * e.bytes));
  }
}

TEST_CASE("formats: every name finds its format") {
  for (const format_info& i : format_table) CHECK(parse_format(i.name) == i.id);
}

TEST_CASE("formats: what is refused") {
  CHECK_THROWS_WITH_AS(storage_bytes(format::q8_0, 33),
                       "q8_0: 33 elements are not a multiple of 32", shape_error);
  CHECK_THROWS_AS(storage_bytes(format::q4_k, 128), shape_error);
  CHECK(storage_bytes(format::f4, 6) == 3);
  CHECK_THROWS_AS(storage_bytes(format::f4, 7), shape_error);
  CHECK(storage_bytes(format::f6_e2m3, 4) == 3);
  CHECK_THROWS_AS(storage_bytes(format::f6_e2m3, 5), shape_error);
  CHECK_THROWS_AS(storage_bytes(format::f32, UINT64_MAX), shape_error);
  CHECK_THROWS_WITH_AS(parse_format("q8_O"), "unknown format 'q8_O' (did you mean 'q8_0'?)",
                       option_error);
}
