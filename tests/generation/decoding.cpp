// SPDX-License-Identifier: Apache-2.0
// The decoding loop over a model: sampling, several results, what ends a sequence, processors,
// log-probabilities, cancelling. Expected ids and logits are transformers' (golden.json).
#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "../models/golden.hpp"

using namespace parlance;
using namespace parlance::generation;
using namespace model_test;

namespace {

struct fixture {
  std::unique_ptr<models::causal_lm> model = load(data / "llama_gqa");
  json golden = model_test::golden("llama_gqa");
  std::vector<ids> prompts;
  std::vector<ids> expected;  // greedy

  fixture() {
    for (const json& p : golden["prompts"]) {
      prompts.push_back(to_ids(p["ids"]));
      expected.push_back(to_ids(p["greedy"]));
    }
  }
  std::vector<generated> run(generation_config c, std::vector<ids> in,
                             const generate_hooks& hooks = {}) const {
    if (!c.eos_token_id) c.eos_token_id = token_ids();
    return generate(*model, in, resolve(c), hooks);
  }
  generated one(const generation_config& c, const generate_hooks& hooks = {}) const {
    return run(c, {prompts[0]}, hooks).front();
  }
};

std::vector<ids> ids_of(const std::vector<generated>& results) {
  std::vector<ids> out;
  for (const generated& g : results) out.push_back(g.ids);
  return out;
}

ids first(const ids& all, std::size_t count) {
  return ids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

TEST_CASE_FIXTURE(fixture,
                  "samples follow the model's distribution through temperature and top_k") {
  constexpr int draws = 3000;
  const auto logits = floats(golden["prompts"][0]["last_logits"]);
  std::map<std::int32_t, double> expected_share;
  double total = 0;
  for (const auto& [score, id] : kernels::top_k(logits, 5))
    total += expected_share[id] = std::exp(score / 1.7);
  std::map<std::int32_t, int> counts;
  for (const auto& g : run({.max_new_tokens = 1,
                       .do_sample = true,
                       .temperature = 1.7,
                       .top_k = 5,
                       .num_return_sequences = draws,
                       .seed = 9},
                           {prompts[0]}))
    ++counts[g.ids.at(0)];
  double chi2 = 0;
  for (const auto& [id, weight] : expected_share) {
    const double share = draws * weight / total;
    chi2 += (counts[id] - share) * (counts[id] - share) / share;
  }
  CHECK(counts.size() <= 5);
  CHECK(chi2 < 23.5);  // 4 degrees of freedom, probability 1e-4
}

TEST_CASE_FIXTURE(fixture, "the same seed gives the same ids: any threads, any batch, any chunks") {
  generation_config c{
      .max_new_tokens = 24, .do_sample = true, .temperature = 1.5, .top_k = 0, .seed = 3};
  std::vector<ids> alone;
  for (const ids& p : prompts) alone.push_back(run(c, {p}).front().ids);
  CHECK(alone[0] != alone[1]);
  for (const int threads : {1, 2, 3}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    CHECK(ids_of(run(c, prompts)) == alone);
    CHECK(ids_of(run(c, {prompts[2], prompts[0]})) == std::vector<ids>{alone[2], alone[0]});
  }
  for (const std::int64_t chunk : {1, 3, 28}) {
    c.prefill_chunk_size = chunk;
    CHECK(ids_of(run(c, prompts)) == alone);
  }
  c.seed = 4;
  CHECK(ids_of(run(c, prompts)) != alone);
}

TEST_CASE_FIXTURE(fixture, "several sequences of a prompt: all different, the first as if alone") {
  generation_config c{.max_new_tokens = 16,
                      .do_sample = true,
                      .temperature = 2.0,
                      .top_k = 0,
                      .num_return_sequences = 4,
                      .seed = 8};
  const auto all = ids_of(run(c, {prompts[0], prompts[1]}));
  REQUIRE(all.size() == 8);
  CHECK(std::set<ids>(all.begin(), all.end()).size() == 8);
  CHECK(ids_of(run(c, {prompts[1]})) == std::vector<ids>(all.begin() + 4, all.end()));
  c.num_return_sequences = 1;
  CHECK(run(c, {prompts[1]}).front().ids == all[4]);
}

TEST_CASE_FIXTURE(fixture, "sampling among one id is greedy decoding") {
  CHECK(one({.max_new_tokens = 64, .do_sample = true, .top_k = 1, .seed = 5}).ids == expected[0]);
}

TEST_CASE_FIXTURE(fixture, "end-of-sequence ids, one or several, end a sequence and belong to it") {
  const ids& path = expected[0];
  const auto index = [&](std::int32_t id) {
    return static_cast<std::size_t>(std::ranges::find(path, id) - path.begin());
  };
  const std::int32_t a = path[6], b = path[11];
  const std::size_t at = std::min(index(a), index(b));
  const generated g = one({.max_new_tokens = 64, .eos_token_id = {{b, 270, a}}});
  CHECK(g.ids == first(path, at + 1));
  CHECK(g.reason == finish_reason::eos);
  CHECK(one({.max_new_tokens = 64, .eos_token_id = b}).ids == first(path, index(b) + 1));
  // A batch goes on for the others.
  const auto both = run({.max_new_tokens = 20, .eos_token_id = a}, prompts);
  CHECK(both[0].ids == first(path, index(a) + 1));
  CHECK(both[1].ids.size() + both[2].ids.size() > both[0].ids.size());
}

TEST_CASE_FIXTURE(fixture, "lengths: max_new_tokens, max_length, min_new_tokens, min_length") {
  const generated g = one({.max_new_tokens = 9});
  CHECK(g.ids == first(expected[0], 9));
  CHECK(g.reason == finish_reason::length);
  CHECK(one({.max_length = 12}).ids == first(expected[0], 12 - prompts[0].size()));
  CHECK(one({}).ids.size() == 20);  // the global default counts new tokens when nothing is said
  const std::int32_t eos = expected[0][2];
  const auto short_one = one({.max_new_tokens = 20, .eos_token_id = eos});
  CHECK(short_one.ids.size() <= 3);
  for (const auto& c :
       {generation_config{.max_new_tokens = 20, .min_new_tokens = 8, .eos_token_id = eos},
        generation_config{.max_new_tokens = 20,
        .min_length = 8 + std::int64_t(prompts[0].size()),
        .eos_token_id = eos}}) {
    const auto longer = one(c);
    CHECK(longer.ids.size() >= 8);
    CHECK(std::ranges::count(first(longer.ids, 8), eos) == 0);
  }
  CHECK(has(message_of([&] { one({.max_length = 5}); }), "max_length: the input has 5 tokens"));
  CHECK(has(message_of([&] { run({}, {ids()}); }), "an empty prompt"));
}

TEST_CASE_FIXTURE(fixture, "time, stop strings and own criteria end a sequence") {
  CHECK(one({.max_new_tokens = 64, .max_time = 0}).reason == finish_reason::time);
  CHECK(one({.max_new_tokens = 64, .max_time = 0}).ids == first(expected[0], 1));
  generate_hooks hooks;
  hooks.decoder = [](std::size_t) {
    return [](std::int32_t id) { return "<" + std::to_string(id) + ">"; };
  };
  hooks.prompt_text = [](std::size_t) { return std::string("<1"); };
  const std::string across =
      std::to_string(expected[0][3]) + "><" + std::to_string(expected[0][4]) + ">";
  const generated g = one({.max_new_tokens = 64, .stop_strings = text_list{"no", across}}, hooks);
  CHECK(g.ids == first(expected[0], 5));
  CHECK(g.reason == finish_reason::stop_string);
  CHECK(one({.max_new_tokens = 64, .stop_strings = "<1<"}, hooks).ids == first(expected[0], 1));
  generation_config c{.max_new_tokens = 64};
  c.stopping_criteria = {[](std::span<const std::int32_t> all, std::span<const float> scores) {
    CHECK(generation::greedy(scores) == all.back());
    return all.size() == 12;
  }};
  CHECK(one(c).ids.size() == 12 - prompts[0].size());
  CHECK(one(c).reason == finish_reason::user);
}

TEST_CASE_FIXTURE(fixture, "log-probabilities are those of the raw logits") {
  generation_config c{.max_new_tokens = 3,
                      .do_sample = true,
                      .temperature = 3.0,
                      .top_k = 0,
                      .repetition_penalty = 1.5,
                      .logprobs = 4,
                      .seed = 2};
  const generated g = one(c);
  REQUIRE(g.logprobs.size() == 3);
  const auto logits = floats(golden["prompts"][0]["last_logits"]);
  const double sum = golden["prompts"][0]["logsumexp"].back();
  const token_choice& step = g.logprobs[0];
  CHECK(step.chosen.id == g.ids[0]);
  CHECK(step.chosen.logprob ==
        doctest::Approx(logits[static_cast<std::size_t>(g.ids[0])] - sum).epsilon(1e-4));
  REQUIRE(step.top.size() == 4);
  const auto best = kernels::top_k(logits, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(step.top[i].id == best[i].index);
    CHECK(step.top[i].logprob == doctest::Approx(best[i].value - sum).epsilon(1e-4));
  }
  c.logprobs.reset();
  CHECK(one(c).logprobs.empty());
}

TEST_CASE_FIXTURE(fixture, "a processor of one's own changes what is chosen") {
  generation_config c{.max_new_tokens = 64};
  const std::int32_t banned = expected[0][0];
  std::size_t calls = 0;
  c.logits_processor = {[&](std::span<const std::int32_t> so_far, std::span<float> scores) {
    CHECK(so_far.size() == prompts[0].size() + calls++);
    scores[static_cast<std::size_t>(banned)] = minus_infinity;
  }};
  const generated g = one(c);
  CHECK(calls == 64);
  CHECK(std::ranges::count(g.ids, banned) == 0);
  auto logits = floats(golden["prompts"][0]["last_logits"]);
  logits[static_cast<std::size_t>(banned)] = minus_infinity;
  CHECK(g.ids[0] == generation::greedy(logits));
  c.logits_processor.clear();
  c.prefix_allowed_tokens_fn = [](std::size_t, std::span<const std::int32_t> so_far) {
    return std::vector<std::int32_t>{static_cast<std::int32_t>(so_far.size())};
  };
  CHECK(first(one(c).ids, 3) == ids{5, 6, 7});
}

TEST_CASE_FIXTURE(fixture, "flow::stop keeps what is there, a stop token cancels") {
  generate_hooks hooks;
  ids seen;
  hooks.on_token = [&](std::size_t, std::int32_t id) {
    seen.push_back(id);
    return seen.size() == 7 ? flow::stop : flow::next;
  };
  const generated g = one({.max_new_tokens = 64}, hooks);
  CHECK(g.ids == first(expected[0], 7));
  CHECK(seen == g.ids);
  CHECK(g.reason == finish_reason::user);

  for (const bool in_callback : {true, false}) {
    std::stop_source source;
    generation_config c{.max_new_tokens = 64};
    c.stop_token = source.get_token();
    std::size_t steps = 0;
    if (in_callback)
      hooks.on_token = [&](std::size_t, std::int32_t) {
        if (++steps == 3) source.request_stop();
      };
    else
      source.request_stop();
    CHECK_THROWS_AS(one(c, hooks), cancelled_error);
    CHECK(steps == (in_callback ? 3 : 0));
  }
  std::stop_source source;  // from another thread
  generation_config c{.max_new_tokens = 1000000};
  c.stop_token = source.get_token();
  std::jthread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    source.request_stop();
  });
  CHECK_THROWS_AS(one(c), cancelled_error);
}

TEST_CASE_FIXTURE(fixture, "what this loop cannot do is refused by name") {
  for (const auto& [c, name] : std::vector<std::pair<generation_config, std::string>>{
           {{.penalty_alpha = 0.6}, "penalty_alpha"},
           {{.guidance_scale = 1.5}, "guidance_scale"},
           {{.prompt_lookup_num_tokens = 3}, "prompt_lookup_num_tokens"}}) {
    const std::string message = message_of([&, &config = c] { one(config); });
    CHECK_MESSAGE(has(message, name + (name == "penalty_alpha" ? "" : " is not available")),
                  message);
    CHECK(has(message, "supported: greedy decoding, sampling and beams"));
  }
}

TEST_CASE_FIXTURE(fixture, "a loop driven step by step gives the same, and measures itself") {
  timing t;
  generate_hooks hooks;
  hooks.measured = &t;
  const resolved_config c = resolve({.max_new_tokens = 10, .eos_token_id = token_ids()});
  decoding_loop loop(*model, c, hooks);
  loop.start(prompts);
  int steps = 1;
  while (loop.advance()) ++steps;
  CHECK(steps == 3 + 9);  // three prompts, each with its first id, then nine steps
  CHECK_FALSE(loop.advance());
  const auto results = loop.finish();
  for (std::size_t i = 0; i < 3; ++i) CHECK(results[i].ids == first(expected[i], 10));
  CHECK(t.prompt_tokens == 5 + 13 + 29);
  CHECK(t.decode_tokens == 27);
  CHECK(t.decode_tokens_per_second() > 0);
}
