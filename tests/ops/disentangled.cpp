// SPDX-License-Identifier: Apache-2.0
// The position scores of disentangled attention: plain loops and gradients.
#include "parlance/ops/disentangled.hpp"

#include <doctest/doctest.h>

#include "op_inputs.hpp"

using namespace parlance;
using namespace ops_test;

namespace {
// Distances -3 .. 3 in buckets.
const ops::distance_rows rows{{0, 0, 1, 2, 3, 4, 4}, 4};
const std::vector<std::int64_t> offsets{0, 4, 5, 7};
}  // namespace

TEST_CASE("scores by plain loops") {
  const auto q = numbers({7, 6}, 1), k = numbers({7, 6}, 2), pk = numbers({5, 6}, 3),
             pq = numbers({5, 6}, 4);
  const auto got = ops::disentangled_bias(q, k, pk, pq, 2, 0.5, offsets, rows);
  std::size_t at = 0;
  for (std::size_t s = 0; s < 3; ++s)
    for (int h = 0; h < 2; ++h)
      for (std::int64_t i = offsets[s]; i < offsets[s + 1]; ++i)
        for (std::int64_t j = offsets[s]; j < offsets[s + 1]; ++j, ++at) {
          double sum = 0;
          for (int c = 3 * h; c < 3 * h + 3; ++c)
            sum += q.row(i)[c] * pk.row(rows.of(i, j))[c] + k.row(j)[c] * pq.row(rows.of(i, j))[c];
          REQUIRE(got.data()[at] == doctest::Approx(0.5 * sum).epsilon(1e-13));
        }
  CHECK(at == static_cast<std::size_t>(got.size()));
}

TEST_CASE("gradients, also with one part alone") {
  const inputs in{numbers({7, 6}, 1), numbers({7, 6}, 2), numbers({5, 6}, 3), numbers({5, 6}, 4)};
  const auto bias = [](const tensor<double>& q, const tensor<double>& k, const tensor<double>& pk,
                       const tensor<double>& pq) {
    return ops::disentangled_bias(q, k, pk, pq, 2, 0.5, offsets, rows);
  };
  check_gradients([&](const inputs& x) { return bias(x[0], x[1], x[2], x[3]); }, in);
  check_gradients([&](const inputs& x) { return bias(x[0], in[1], x[1], {}); }, {in[0], in[2]});
  check_gradients([&](const inputs& x) { return bias(in[0], x[0], {}, x[1]); }, {in[1], in[3]});
}

TEST_CASE("what is refused") {
  const auto q = numbers({7, 6}, 1), p = numbers({5, 6}, 3), narrow = numbers({5, 4}, 3);
  CHECK_THROWS_AS(ops::disentangled_bias(q, q, narrow, p, 2, 0.5, offsets, rows), shape_error);
  CHECK_THROWS_AS(ops::disentangled_bias<double>(q, q, p, p, 2, 0.5, {0, 5, 7}, rows), shape_error);
}
