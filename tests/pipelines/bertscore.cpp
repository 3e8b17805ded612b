// SPDX-License-Identifier: Apache-2.0
// BERTScore against bert_score (bertscore.py), and metrics with a model by name.
#include "parlance/pipelines/bertscore.hpp"

#include <doctest/doctest.h>

#include "parlance/metrics/json_lines.hpp"
#include "parlance/pipelines/model_metrics.hpp"

using namespace parlance;

namespace {

const std::string data = PARLANCE_TEST_DATA "/pipelines/";
const std::string gpt2 = PARLANCE_TEST_DATA "/models/gpt2";

void check_lines(const std::vector<double>& got, const json& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i] == doctest::Approx(want[i].get<double>()).epsilon(1e-5));
  }
}

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("bertscore is that of the original") {
  const json golden = parse_json(read_text(data + "bertscore.json"), "bertscore.json");
  REQUIRE(golden["cases"].size() == 19);
  for (const json& c : golden["cases"]) {
    const json& given = c["options"];
    CAPTURE(c["model"].get<std::string>());
    CAPTURE(given.dump());
    pipelines::bertscore_options o;
    o.num_layers = given["num_layers"].get<std::int64_t>();
    o.idf = given.value("idf", false);
    o.all_layers = given.value("all_layers", false);
    o.use_fast_tokenizer = given.value("use_fast_tokenizer", false);
    o.rescale_with_baseline = given.value("rescale_with_baseline", false);
    if (o.rescale_with_baseline) o.baseline_path = data + "bertscore_baseline.tsv";
    const std::string model = data + c["model"].get<std::string>();
    pipelines::bertscore whole(model, o), first = whole, second = whole;
    for (std::size_t i = 0; i < golden["lines"].size(); ++i) {
      const json& line = golden["lines"][i];
      auto references = line["references"].get<std::vector<std::string>>();
      if (o.all_layers) references.resize(1);  // as in bertscore.py
      whole.add(line["prediction"].get<std::string>(), references);
      (i < 3 ? first : second).add(line["prediction"].get<std::string>(), references);
    }
    const auto r = whole.compute();
    if (o.all_layers) {
      REQUIRE(r.f1.size() == 3);
      for (std::size_t k = 0; k < 3; ++k) {
        CAPTURE(k);
        check_lines(r.precision[k], c["precision"][k]);
        check_lines(r.recall[k], c["recall"][k]);
        check_lines(r.f1[k], c["f1"][k]);
      }
    } else {
      check_lines(r.precision[0], c["precision"]);
      check_lines(r.recall[0], c["recall"]);
      check_lines(r.f1[0], c["f1"]);
    }
    CHECK(r.hashcode == model + c["hashcode"].get<std::string>().substr(5));  // "MODEL"
    first.merge(second);
    CHECK(first.compute().f1 == r.f1);
  }
}

TEST_CASE("what bertscore refuses") {
  const std::string model = data + "distilbert";
  CHECK_THROWS_AS(pipelines::bertscore(model, {}), option_error);  // no layer is known to be best
  CHECK_THROWS_AS(pipelines::bertscore(model, {.num_layers = 3}), option_error);
  CHECK_THROWS_AS(pipelines::bertscore(model, {.num_layers = 2}).compute(), option_error);
  CHECK_THROWS_AS(pipelines::bertscore(model, {.num_layers = 2, .rescale_with_baseline = true}),
                  option_error);
  CHECK_THROWS_AS(pipelines::bertscore(model, {.num_layers = 2,
                                               .rescale_with_baseline = true,
                                               .baseline_path = data + "distilbert/config.json"}),
                  format_error);
  pipelines::bertscore metric(model, {.num_layers = 2});
  CHECK(message([&] { metric.add("a\xFF", "b"); }) ==
        "prediction of line 1: invalid UTF-8 at byte 1");
}

TEST_CASE("metrics with a model by name") {
  metrics::combined all;
  all.include("perplexity", pipelines::load_metric("perplexity", {{"model_id", gpt2}}));
  metrics::add_json(all, "Hello there");
  metrics::add_json(all, json{{"prediction", "Happy Birthday!"}});
  const auto found = all.compute();
  pipelines::perplexity direct(gpt2);
  direct.add_batch({"Hello there", "Happy Birthday!"});
  CHECK(metrics::find(found, "mean_perplexity")->number() == direct.compute().mean_perplexity);
  CHECK(found.size() == 2);

  const auto score = pipelines::load_metric(
      "bertscore", {{"model_type", data + "distilbert"}, {"num_layers", "1"}, {"lang", "en"}});
  score->add(std::string("a fox"), std::string("a fox"));
  const auto same = score->compute();
  CHECK(std::get<std::vector<double>>(*metrics::find(same, "f1"))[0] == doctest::Approx(1));

  const auto mauve = pipelines::load_metric("mauve", {{"featurize_model_name", gpt2}});
  for (const char* text : {"hello", "a dog", "the sun", "", "general"})
    mauve->add(std::string(text), std::string(text));
  CHECK(metrics::find(mauve->compute(), "mauve")->number() == doctest::Approx(1));

  CHECK(message([] { pipelines::load_metric("perplexity"); }) ==
        "perplexity: model_id is not set (name a model's folder)");
  CHECK(message([] { pipelines::load_metric("bertscor"); }) ==
        "unknown metric 'bertscor' (did you mean 'bertscore'?)");
}
