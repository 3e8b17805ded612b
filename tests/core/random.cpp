// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 against the published known answers (Random123 1.14, tests/kat_vectors), and what a
// stream promises: numbers by position, independent streams, fair distributions, any thread count.
#include "parlance/core/random.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <vector>

#include "parlance/core/thread_pool.hpp"

using namespace parlance;

TEST_CASE("philox4x32-10 gives the known answers of Random123") {
  constexpr std::uint32_t f = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        philox_block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({f, f, f, f}, {f, f}) ==
        philox_block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        philox_block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream reads seed as the key, position and stream as the counter") {
  const rng zero(0, 0);
  CHECK(zero.bits_at(0) == 0x6627e8d5);
  CHECK(zero.bits_at(3) == 0x9b00dbd8);
  const rng r(0x299f31d0a4093822, 0x0370734413198a2e);
  CHECK(r.bits_at(4 * 0x05a308d3243f6a88ull) ==
        philox({0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})[0]);
}

TEST_CASE("numbers are functions of the position") {
  rng r(7, 3);
  const rng start = r;
  std::vector<std::uint32_t> drawn;
  for (int i = 0; i < 100; ++i) drawn.push_back(r.bits());
  CHECK(r.position() == 100);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(start.bits_at(i) == drawn[i]);
  r.seek(17);
  CHECK(r.bits() == drawn[17]);
  rng copy = r;
  CHECK(copy.bits() == r.bits());
  r.seek(0);
  CHECK(r.uniform() == float(drawn[0] >> 8) / 16777216.0f);
  r.seek(0);
  const double expected = ((drawn[0] >> 5) * 67108864.0 + (drawn[1] >> 6)) /
                          9007199254740992.0;  // as MT's genrand_res53
  CHECK(r.uniform53() == expected);
  CHECK(r.position() == 2);
}

TEST_CASE("the number of threads does not change the numbers") {
  const rng r(42, 1);
  const auto fill = [&](int threads) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    std::vector<double> x(5000);
    parallel_for(5000, 37, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        x[static_cast<std::size_t>(i)] = r.normal_at(static_cast<std::uint64_t>(i)) +
                                         double(r.uniform_at(static_cast<std::uint64_t>(i)));
    });
    return x;
  };
  const auto expected = fill(1);
  for (const int threads : {2, 3, 7}) CHECK(fill(threads) == expected);
}

TEST_CASE("uniform and normal numbers have their moments") {
  constexpr int n = 200000;
  rng r(1);
  double sum = 0, squares = 0, fine = 0;
  for (int i = 0; i < n; ++i) {
    const double u = double(r.uniform());
    REQUIRE((u >= 0 && u < 1));
    sum += u, squares += u * u;
  }
  // Five standard deviations of the mean of n numbers.
  CHECK(std::abs(sum / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  for (int i = 0; i < n; ++i) fine += r.uniform53();
  CHECK(std::abs(fine / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  double mean = 0, variance = 0, third = 0, fourth = 0, pairs = 0;
  for (int i = 0; i < n; ++i) {
    const double z = r.normal();
    mean += z, variance += z * z, third += z * z * z, fourth += z * z * z * z;
  }
  for (int i = 0; i < n; i += 2) pairs += r.normal_at(std::uint64_t(i)) * r.normal_at(i + 1ull);
  CHECK(std::abs(mean / n) < 5 * std::sqrt(1.0 / n));
  CHECK(std::abs(variance / n - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(third / n) < 5 * std::sqrt(15.0 / n));
  CHECK(std::abs(fourth / n - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(pairs / (n / 2)) < 5 * std::sqrt(2.0 / n));
}

TEST_CASE("below is in range and fair") {
  rng r(5);
  CHECK(r.below(1) == 0);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) {
    const std::uint32_t x = r.below(6);
    REQUIRE(x < 6);
    ++counts[x];
  }
  double chi2 = 0;
  for (const int c : counts) chi2 += (c - 10000.0) * (c - 10000.0) / 10000.0;
  CHECK(chi2 < 25.7);  // 5 degrees of freedom, p = 1e-4
}

TEST_CASE("seeds, streams and splits do not share numbers") {
  std::set<std::uint64_t> seen;
  const auto first_two = [](const rng& r) {
    return std::uint64_t{r.bits_at(0)} << 32 | r.bits_at(1);
  };
  std::size_t streams = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (std::uint64_t stream = 0; stream < 20; ++stream, ++streams)
      seen.insert(first_two(rng(seed, stream)));
  for (std::uint64_t stream = 100; stream < 120; ++stream)
    for (std::uint64_t part = 0; part < 20; ++part, ++streams)
      seen.insert(first_two(rng(99, stream).split(part)));
  CHECK(seen.size() == streams);

  const rng parent(3);
  CHECK(first_two(parent.split(1)) == first_two(rng(3).split(1)));
  CHECK(parent.split(1).seed() == 3);
  // Streams are not correlated.
  double product = 0;
  const rng a = parent.split(0), b = parent.split(1);
  for (std::uint64_t i = 0; i < 20000; ++i) product += a.normal_at(i) * b.normal_at(i);
  CHECK(std::abs(product / 20000) < 5 * std::sqrt(1.0 / 20000));
}
