// SPDX-License-Identifier: Apache-2.0
// Appending keys and values to the paged cache: every number lands where the layout says, rounded
// as its type rounds, at every instruction set level, and nothing else is touched.
#include "parlance/kernels/kv_pages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using namespace parlance::kernels;
using elementwise_test::numbers;

namespace {

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }
std::uint32_t bits(bf16 x) { return x.bits; }
std::uint32_t bits(f16 x) { return x.bits; }

template <class F>
void for_each_isa(F f) {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    if (kernels::detail::machine().level < level) {
      MESSAGE("instruction set level ", static_cast<int>(level), " is not on this processor");
      continue;
    }
    CAPTURE(static_cast<int>(level));
    const limit_isa limit(level);
    REQUIRE(cpu().level == level);
    f();
  }
}

struct append {
  std::int64_t pos, n;
};

template <class E>
void check(int kv_heads, int d, std::int64_t capacity, const std::vector<append>& appends,
           std::int64_t gap) {
  CAPTURE(kv_heads);
  CAPTURE(d);
  CAPTURE(gap);
  const attention_params p{.heads = kv_heads, .kv_heads = kv_heads, .head_dim = d};
  const auto size = std::size_t(kv_heads * capacity * d);
  const E untouched(-7.0f);
  std::vector<E> k(size, untouched), v(size, untouched);
  auto expected_k = k, expected_v = v;
  const kv_view<E> view{k.data(), v.data(), capacity};
  const std::int64_t width = std::int64_t{kv_heads} * d, ldk = width + gap, ldv = width + 2 * gap;
  unsigned seed = 1;
  for (const append& a : appends) {
    auto rows_k = numbers<float>(a.n * ldk, seed++, 3),
         rows_v = numbers<float>(a.n * ldv, seed++, 3);
    if (!rows_k.empty()) {
      const float inf = std::numeric_limits<float>::infinity();
      rows_k[0] = inf, rows_v[0] = -inf;
      rows_k[rows_k.size() / 2] = std::bit_cast<float>(0x7FA00000u);  // a signalling NaN
      rows_v[rows_v.size() / 2] = 1e-6f;                              // subnormal in f16
      rows_v[rows_v.size() / 3] = 1 + 0x1p-8f;                        // a tie in bf16
    }
    kv_append(view, p, a.pos, a.n, rows_k.data(), ldk, rows_v.data(), ldv);
    for (std::int64_t i = 0; i < a.n; ++i)
      for (std::int64_t h = 0; h < kv_heads; ++h)
        for (std::int64_t c = 0; c < d; ++c) {
          const std::int64_t at = a.pos + i;
          // [kv head][page][dimension][16] and [kv head][position][dimension]
          const auto key = ((h * capacity / 16 + at / 16) * d + c) * 16 + at % 16;
          const auto value = (h * capacity + at) * d + c;
          expected_k[std::size_t(key)] = E(rows_k[std::size_t(i * ldk + h * d + c)]);
          expected_v[std::size_t(value)] = E(rows_v[std::size_t(i * ldv + h * d + c)]);
        }
  }
  const auto same = [](const E& a, const E& b) { return bits(a) == bits(b); };
  CHECK(std::equal(k.begin(), k.end(), expected_k.begin(), same));
  CHECK(std::equal(v.begin(), v.end(), expected_v.begin(), same));
}

template <class E>
void check_all() {
  for_each_isa([] {
    for (const int d : {1, 3, 4, 7, 8, 15, 16, 17, 33, 64})
      for (const int heads : {1, 3})
        check<E>(heads, d, 64, {{0, 1}, {1, 1}, {2, 13}, {15, 2}, {20, 0}, {20, 40}, {3, 4}},
                 d % 4);
    check<E>(2, 20, 320, {{0, 63}, {63, 64}, {127, 65}, {192, 128}}, 3);  // over blocks of 64 rows
  });
}

}  // namespace

TEST_CASE("float caches") { check_all<float>(); }
TEST_CASE("bf16 caches") { check_all<bf16>(); }
TEST_CASE("f16 caches") { check_all<f16>(); }

TEST_CASE("threads do not change what is appended") {
  const attention_params p{.heads = 2, .kv_heads = 2, .head_dim = 20};
  const auto rows = numbers<float>(300 * 40, 1);
  CHECK(elementwise_test::same_for_all_threads([&] {
    std::vector<float> k(2 * 304 * 20), v(k.size());
    kv_append(kv_view<float>{k.data(), v.data(), 304}, p, 3, 300, rows.data(), 40, rows.data(), 40);
    k.insert(k.end(), v.begin(), v.end());
    return k;
  }));
}

TEST_CASE("what does not fit is refused before anything is written") {
  std::vector<float> k(32 * 4, 1.0f), v = k, rows(40 * 4);
  const attention_params p{.heads = 1, .kv_heads = 1, .head_dim = 4};
  const auto put = [&](std::int64_t capacity, std::int64_t pos, std::int64_t n,
                       const attention_params& params) {
    kv_append(kv_view<float>{k.data(), v.data(), capacity}, params, pos, n, rows.data(), 4,
              rows.data(), 4);
  };
  CHECK_THROWS_AS(put(31, 0, 1, p), shape_error);
  CHECK_THROWS_AS(put(32, 0, 33, p), shape_error);
  CHECK_THROWS_AS(put(32, 32, 1, p), shape_error);
  CHECK_THROWS_AS(put(32, -1, 1, p), shape_error);
  CHECK_THROWS_AS(put(32, 0, -1, p), shape_error);
  CHECK_THROWS_AS(put(32, INT64_MAX, 1, p), shape_error);
  CHECK_THROWS_AS(put(32, 0, 1, {.heads = 3, .kv_heads = 2, .head_dim = 4}), shape_error);
  CHECK_THROWS_AS(put(32, 0, 1, {.heads = 1, .kv_heads = 1, .head_dim = 0}), shape_error);
  CHECK_THROWS_AS(put(32, 0, 1, {.window = -1}), option_error);
  CHECK_THROWS_AS(put(32, 0, 1, {.softcap = NAN}), option_error);
  CHECK(k == v);
  CHECK(k == std::vector<float>(32 * 4, 1.0f));
  CHECK_NOTHROW(put(32, 32, 0, p));
  CHECK_NOTHROW(put(32, 31, 1, p));
  CHECK(k != std::vector<float>(32 * 4, 1.0f));
}

TEST_CASE("limit_isa lowers, never raises, and ends with its scope") {
  const auto machine = kernels::detail::machine().level;
  CHECK(cpu().level == machine);
  {
    const limit_isa base(isa::base);
    CHECK(cpu().level == isa::base);
    CHECK_FALSE(cpu().has_bf16);
    {
      const limit_isa best(isa::avx512, true);
      CHECK(cpu().level == machine);
    }
    CHECK(cpu().level == isa::base);
  }
  CHECK(cpu().level == machine);
}
