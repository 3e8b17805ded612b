// SPDX-License-Identifier: Apache-2.0
// Numbers by mauve-text 0.4.0.
#include "parlance/metrics/mauve.hpp"

#include <doctest/doctest.h>

namespace metrics = parlance::metrics;

TEST_CASE("mauve from histograms") {
  struct known {
    std::vector<double> p, q;
    double mauve, integral;
  };
  for (const known& k :
       {known{{1, 0}, {.5, .5}, .27811372536724027, .3068528194400547},
        known{{.5, .5}, {.5, .5}, 1, 0},
        known{{.7, .3}, {.4, .6}, .8998920296771844, .06180362292430497},
        known{{1, 0}, {0, 1}, .004072096261961256, 1},
        known{{.2, .3, .5}, {.1, .6, .3}, .8984004880612253, .06236303772755061}}) {
    const metrics::mauve_result r = metrics::mauve_from_histograms(k.p, k.q);
    CHECK(r.mauve == doctest::Approx(k.mauve).epsilon(1e-12));
    CHECK(r.frontier_integral == doctest::Approx(k.integral).epsilon(1e-12));
  }
}

TEST_CASE("what mauve refuses") {
  metrics::mauve m;
  const std::vector<double> two = {1, 2}, three = {1, 2, 3}, bad = {1, std::nan("")};
  m.add_prediction(two);
  CHECK_THROWS_AS(m.compute(), parlance::option_error);  // no references
  CHECK_THROWS_AS(m.add_reference(three), parlance::shape_error);
  CHECK_THROWS_AS(m.add_reference(bad), parlance::option_error);
  CHECK_THROWS_AS(m.add_reference({}), parlance::shape_error);
  CHECK_THROWS_AS(metrics::mauve({.kmeans_explained_var = 1}), parlance::option_error);
  metrics::mauve many({.num_buckets = 9});
  for (int i = 0; i < 4; ++i) many.add_prediction(two), many.add_reference(two);
  CHECK_THROWS_AS(many.compute(), parlance::option_error);  // more clusters than points
}

TEST_CASE("equal and constant features") {
  metrics::mauve m;
  for (int i = 0; i < 30; ++i) {
    const std::vector<double> row = {1, 0, 0};
    m.add_prediction(row), m.add_reference(row);
  }
  CHECK(m.compute().mauve == doctest::Approx(1));
}
