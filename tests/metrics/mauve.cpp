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
