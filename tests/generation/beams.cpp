// SPDX-License-Identifier: Apache-2.0
// Beam search against transformers: the same ids and scores for plain, sampled and diverse beams
// (tests/reference/beams.py); independence of batch and threads; streaming, stopping, cancelling.
#include <doctest/doctest.h>

#include "../models/golden.hpp"
#include "generation_inputs.hpp"
#include "parlance/generation/config_json.hpp"

using namespace parlance;
using namespace parlance::generation;
using namespace model_test;

namespace {

generation_config options_of(const json& given) {
  generation_config c = config_from_json(given);
  if (!c.eos_token_id) c.eos_token_id = token_ids();
  return c;
}

std::vector<ids> prompts_of(const json& golden, const json& numbers) {
  std::vector<ids> out;
  for (const std::size_t n : numbers) out.push_back(to_ids(golden["prompts"][n]["ids"]));
  return out;
}

std::vector<generated> run(const models::causal_lm& model, const std::vector<ids>& prompts,
                           const generation_config& c, const generate_hooks& hooks = {}) {
  return generate(model, prompts, resolve(c), hooks);
}

// Runs every case of a file; the number of cases.
std::size_t check_cases(const char* file) {
  std::map<std::string, std::unique_ptr<models::causal_lm>> loaded;
  const json all = generation_test::read_data(file);
  for (const json& each : all["cases"]) {
    const std::string name = each["model"];
    CAPTURE(name + " " + each["prompts"].dump() + " " + each["options"].dump());
    if (!loaded.contains(name)) loaded[name] = load(data / name);
    const json golden = model_test::golden(name);
    generation_config c = options_of(each["options"]);
    c.pad_token_id = golden["pad_token_id"].get<std::int32_t>();
    const auto results = run(*loaded[name], prompts_of(golden, each["prompts"]), c);
    REQUIRE(results.size() == each["ids"].size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      CHECK(results[i].ids == to_ids(each["ids"][i]));
      CHECK(results[i].score == doctest::Approx(each["scores"][i].get<double>()).epsilon(1e-4));
    }
  }
  return all["cases"].size();
}

struct fixture {
  std::unique_ptr<models::causal_lm> model = load(data / "llama_gqa");
  json golden = model_test::golden("llama_gqa");
  std::vector<ids> prompts = prompts_of(golden, {0, 1, 2});
  ids greedy = to_ids(golden["prompts"][0]["greedy"]);
  generation_config four{
      .max_new_tokens = 24, .num_beams = 4, .eos_token_id = token_ids{greedy[3], greedy[9]}};

  std::vector<ids> ids_of(const std::vector<ids>& in, const generation_config& c,
                          const generate_hooks& hooks = {}) const {
    std::vector<ids> out;
    for (auto& g : run(*model, in, c, hooks)) out.push_back(std::move(g.ids));
    return out;
  }
};

}  // namespace

TEST_CASE("plain and sampled beams: the ids and scores of transformers") {
  CHECK(check_cases("beams.json") > 100);
}

TEST_CASE("diverse groups of beams: the ids and scores of transformers 4.49") {
  CHECK(check_cases("beam_groups.json") > 40);
}

TEST_CASE_FIXTURE(fixture, "beams do not depend on the batch, the threads or the chunks") {
  for (generation_config c : {four, generation_config{.max_new_tokens = 24,
                                    .do_sample = true,
                                    .num_beams = 3,
                                    .top_k = 0,
                                    .eos_token_id = token_ids(),
                                    .seed = 5}}) {
    c.num_return_sequences = 2;
    std::vector<ids> alone;
    for (const ids& p : prompts)
      for (ids& each : ids_of({p}, c)) alone.push_back(std::move(each));
    for (const int threads : {1, 2, 3}) {
      const use_pool pool(std::make_shared<thread_pool>(threads));
      CHECK(ids_of(prompts, c) == alone);
      CHECK(ids_of({prompts[2], prompts[0]}, c) ==
            std::vector<ids>{alone[4], alone[5], alone[0], alone[1]});
    }
    c.prefill_chunk_size = 3;
    CHECK(ids_of(prompts, c) == alone);
  }
}

TEST_CASE_FIXTURE(fixture, "sampled beams draw from the softmax without replacement") {
  // One step of two beams draws four ids; the first follows the model's distribution.
  constexpr int draws = 3000;
  const auto logits = floats(golden["prompts"][0]["last_logits"]);
  std::map<std::int32_t, double> share;
  double total = 0;
  for (const auto& [score, id] : kernels::top_k(logits, 5)) total += share[id] = std::exp(score);
  std::vector<float> row(logits.size(), minus_infinity);
  for (const auto& [id, weight] : share)
    row[static_cast<std::size_t>(id)] = static_cast<float>(std::log(weight));
  std::map<std::int32_t, int> firsts, seconds;
  candidate_selector select;
  const std::vector<beam_row> rows{{0, row}, {-1e9f, row}};
  for (int i = 0; i < draws; ++i) {
    const auto drawn = select.draw(rows, 4, sampler(static_cast<std::uint64_t>(i)), 0);
    REQUIRE(drawn.size() == 4);
    for (std::size_t a = 0; a < 4; ++a) {
      CHECK(drawn[a].parent == 0);
      for (std::size_t b = 0; b < a; ++b) CHECK(drawn[a].id != drawn[b].id);
    }
    ++firsts[drawn[0].id];
    ++seconds[drawn[1].id];
  }
  double chi2 = 0;
  for (const auto& [id, weight] : share) {
    const double p = weight / total;
    chi2 += std::pow(firsts[id] - draws * p, 2) / (draws * p);
    double second = 0;  // of an id that was not the first
    for (const auto& [other, w] : share)
      if (other != id) second += w / total * weight / (total - w);
    chi2 += std::pow(seconds[id] - draws * second, 2) / (draws * second);
  }
  CHECK(chi2 < 33.4);  // at most 8 degrees of freedom, probability 5e-5
}

TEST_CASE_FIXTURE(fixture, "ids are told as soon as all beams agree, in order, once each") {
  generation_config c = four;
  c.num_return_sequences = 2;
  std::vector<ids> told(6);
  generate_hooks hooks;
  std::size_t steps_with_news = 0;
  hooks.on_token = [&](std::size_t s, std::int32_t id) { told[s].push_back(id); };
  decoding_loop loop(*model, resolve(c), hooks);
  loop.start(prompts);
  std::size_t before = 0;
  while (loop.advance()) {
    const std::size_t now = told[0].size() + told[2].size() + told[4].size();
    steps_with_news += now > std::exchange(before, now);
  }
  const auto results = loop.finish();
  for (std::size_t p = 0; p < 3; ++p) {
    CHECK(told[2 * p] == results[2 * p].ids);
    CHECK(told[2 * p + 1].empty());
  }
  CHECK(steps_with_news > 3);
}

TEST_CASE_FIXTURE(fixture, "flow::stop ends the search with the best beams there are") {
  generation_config c = four;
  c.eos_token_id = token_ids();
  c.num_return_sequences = 2;
  generate_hooks hooks;
  std::size_t told = 0;
  hooks.on_token = [&](std::size_t, std::int32_t) { return ++told == 5 ? flow::stop : flow::next; };
  const auto results = run(*model, {prompts[0]}, c, hooks);
  REQUIRE(results.size() == 2);
  CHECK(told == 5);
  CHECK(results[0].reason == finish_reason::user);
  CHECK(results[0].ids.size() >= 5);
  CHECK(results[0].ids.size() < 24);
  CHECK(results[0].score >= results[1].score);
}

TEST_CASE_FIXTURE(fixture, "a stop token cancels, time and stop strings end") {
  std::stop_source source;
  generation_config c = four;
  c.stop_token = source.get_token();
  std::size_t calls = 0;
  c.logits_processor = {[&](std::span<const std::int32_t>, std::span<float>) {
    if (++calls == 9) source.request_stop();
  }};
  CHECK_THROWS_AS(run(*model, prompts, c), cancelled_error);
  CHECK(calls < 4 * 4);
  generation_config timed = four;
  timed.max_time = 0;
  const auto quick = run(*model, {prompts[0]}, timed);
  CHECK(quick[0].ids.size() == 1);
  // A stop string that a beam's own text completes: every result ends with it, or at its end.
  generate_hooks hooks;
  hooks.decoder = [](std::size_t) {
    return [](std::int32_t id) { return "<" + std::to_string(id) + ">"; };
  };
  generation_config stopped{.max_new_tokens = 12,
                            .stop_strings = text_list{"5>"},
                            .num_beams = 4,
                            .num_return_sequences = 4,
                            .eos_token_id = token_ids()};
  std::size_t by_string = 0;
  for (const auto& g : run(*model, {prompts[0]}, stopped, hooks)) {
    const bool ends = g.ids.back() % 10 == 5;
    CHECK(ends == (g.reason == finish_reason::stop_string));
    for (std::size_t i = 0; i + 1 < g.ids.size(); ++i) CHECK(g.ids[i] % 10 != 5);
    by_string += ends;
  }
  CHECK(by_string > 0);
}

TEST_CASE_FIXTURE(fixture, "log-probabilities follow the beam: they add up to its score") {
  generation_config c{.max_new_tokens = 10,
                      .num_beams = 4,
                      .length_penalty = 1.0,
                      .num_return_sequences = 3,
                      .logprobs = 2,
                      .eos_token_id = token_ids()};
  for (const auto& g : run(*model, {prompts[1]}, c)) {
    REQUIRE(g.logprobs.size() == g.ids.size());
    double sum = 0;
    for (std::size_t i = 0; i < g.ids.size(); ++i) {
      CHECK(g.logprobs[i].chosen.id == g.ids[i]);
      sum += g.logprobs[i].chosen.logprob;
    }
    CHECK(sum / 10 == doctest::Approx(g.score).epsilon(1e-5));
  }
}

TEST_CASE_FIXTURE(fixture, "options that contradict each other are refused") {
  const auto refused = [&](const generation_config& c) {
    return message_of([&] { run(*model, {prompts[0]}, c); });
  };
  CHECK(has(refused({.num_beams = 4, .num_beam_groups = 3, .diversity_penalty = 1.0}),
            "num_beam_groups: expected a divisor of num_beams = 4"));
  CHECK(has(refused({.num_beams = 4, .num_beam_groups = 2}), "diversity_penalty: expected"));
  CHECK(has(refused({.num_beams = 2, .num_return_sequences = 3}), "at most num_beams = 2"));
  CHECK(has(message_of([&] { run(*model, {ids()}, four); }), "an empty prompt"));
}
