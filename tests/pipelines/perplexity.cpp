// SPDX-License-Identifier: Apache-2.0
// Perplexity against evaluate's rule (perplexity.py).
#include "parlance/pipelines/perplexity.hpp"

#include <doctest/doctest.h>

#include "../models/golden.hpp"

using namespace parlance;

TEST_CASE("perplexity is that of the original, whole, cut and in windows") {
  const auto file = std::filesystem::path(PARLANCE_TEST_DATA) / "pipelines/perplexity.json";
  const json data = parse_json(read_text(file), file.string());
  const auto texts = data["texts"].get<std::vector<std::string>>();
  REQUIRE(data["cases"].size() == 12);
  for (const json& c : data["cases"]) {
    CAPTURE(c.dump());
    pipelines::perplexity_options o;
    const json& given = c["options"];
    o.add_start_token = given.value("add_start_token", true);
    if (given.contains("max_length")) o.max_length = given["max_length"].get<std::int64_t>();
    if (given.contains("stride")) o.stride = given["stride"].get<std::int64_t>();
    pipelines::perplexity metric((model_test::data / c["model"].get<std::string>()).string(), o);
    metric.add_batch(texts);
    const auto result = metric.compute();
    for (std::size_t i = 0; i < texts.size(); ++i)
      CHECK(result.perplexities[i] ==
            doctest::Approx(c["perplexities"][i].get<double>()).epsilon(1e-4));
    CHECK(result.mean_perplexity == doctest::Approx(c["mean"].get<double>()).epsilon(1e-4));
    CHECK(result.corpus_perplexity > 1);
  }
}

TEST_CASE("what perplexity refuses") {
  const std::string model = (model_test::data / "gpt2").string();
  CHECK_THROWS_AS(pipelines::perplexity(model).compute(), option_error);
  CHECK_THROWS_AS(pipelines::perplexity(model, {.max_length = 8, .stride = 8}), option_error);
  pipelines::perplexity metric(model, {.add_start_token = false});
  CHECK_THROWS_AS(metric.add(""), option_error);
}
