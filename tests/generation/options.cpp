// SPDX-License-Identifier: Apache-2.0
// Generation options: which source wins, what is refused, and where each value came from, against
// what pipelines of transformers compute (generation_config.py).
#include <doctest/doctest.h>

#include "generation_inputs.hpp"
#include "parlance/generation/config_json.hpp"
#include "parlance/generation/logits_processors.hpp"

using namespace parlance;
using namespace parlance::generation;
using generation_test::read_data;

namespace {

// The names that generation_config.py records.
const std::vector<std::string> recorded{"max_length",     "max_new_tokens",
                                        "min_length",     "min_new_tokens",
                                        "do_sample",      "num_beams",
                                        "temperature",    "num_return_sequences",
                                        "top_k",          "top_p",
                                        "min_p",          "typical_p",
                                        "length_penalty", "repetition_penalty",
                                        "early_stopping", "no_repeat_ngram_size",
                                        "eos_token_id",   "pad_token_id",
                                        "bos_token_id"};

option_sources sources_of(const json& c) {
  option_sources from;
  from.call = config_from_json(c["call"]);
  from.model_file = config_from_json(c["file"]);
  from.task_params = config_from_json(c["task"]);
  if (!c["default"].is_null()) from.pipeline_default = config_from_json(c["default"]);
  return from;
}

// None switches an option off; where that is the default, absent means the same.
json expected_value(const json& c, const std::string& name) {
  generation_config e = global_defaults();
  if (c["values"].contains(name)) {
    if (c["values"][name].is_null() && name.find("new_tokens") != name.npos) return nullptr;
    set_option_json(e, name, c["values"][name]);
  }
  return to_json(e).value(name, json());
}

template <class Run>
std::string message_of(Run&& run) {
  try {
    run();
  } catch (const error& e) {
    return e.what();
  }
  return "no error";
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

std::string call_message(const json& options) {
  return message_of([&] { resolve(config_from_json(options)); });
}

}  // namespace

TEST_CASE("final options and lengths are those of transformers") {
  const json data = read_data("config.json");
  int errors = 0;
  REQUIRE(data["cases"].size() > 400);
  for (const json& c : data["cases"]) {
    CAPTURE(c.dump());
    const std::size_t prompt = c["prompt"];
    if (c.contains("error")) {
      ++errors;
      CHECK_THROWS_AS(
          [&] {
            const resolved_config r = resolve(sources_of(c));
            const std::vector<std::int32_t> ids(prompt, 0);
            std::vector<float> scores(8, 0.0f);
            make_processors(r, ids, 64)(ids, scores);
          }(),
          option_error);
      continue;
    }
    const resolved_config r = resolve(sources_of(c));
    const auto explained = explain(r);
    for (const std::string& name : recorded) {
      const auto at = std::ranges::find(explained, name, &explained_option::name);
      REQUIRE(at != explained.end());
      CAPTURE(name);
      const json expected = expected_value(c, name);
      const bool off =
          expected.is_null() && at->value == to_json(off_values()).value(name, json()).dump();
      // Not told apart: a task's null, which wins over the file, and the number it stands for.
      const bool null_task = c["task"].contains(name) && c["task"][name].is_null() &&
                             c["file"].contains(name) && to_json(global_defaults()).contains(name);
      CHECK((off || null_task || at->value == expected.dump()));
    }
    const length_limits l = limits(r, static_cast<std::int64_t>(prompt), 64);
    CHECK(l.max_length == c["limits"][0].get<std::int64_t>());
    CHECK(l.min_length == c["limits"][1].get<std::int64_t>());
  }
  CHECK(errors > 30);
}

TEST_CASE("explain says where every value came from") {
  option_sources from;
  from.call = {.top_k = 7};
  from.task_params = {.num_beams = 1, .top_p = 0.5};
  from.model_file = {.max_length = 40, .top_k = 9, .eos_token_id = token_ids{2, 3}};
  from.pipeline_default = {.max_new_tokens = 256, .do_sample = true, .temperature = 0.7};
  const auto list = explain(resolve(from));
  CHECK(list.size() == option_names().size());
  const auto check = [&](const char* name, const char* value, option_origin origin) {
    const auto at = std::ranges::find(list, name, &explained_option::name);
    REQUIRE(at != list.end());
    CHECK(at->value == value);
    CHECK(to_string(at->origin) == to_string(origin));
  };
  check("top_k", "7", option_origin::call);
  check("top_p", "0.5", option_origin::task_params);
  check("max_length", "40", option_origin::model_file);
  check("eos_token_id", "[2,3]", option_origin::model_file);
  check("do_sample", "true", option_origin::pipeline_default);
  check("temperature", "0.7", option_origin::pipeline_default);
  check("max_new_tokens", "null", option_origin::global_default);  // max_length of the file wins
  check("typical_p", "1.0", option_origin::global_default);
}

TEST_CASE("wrong names and values are refused, with the nearest valid one") {
  CHECK(has(call_message({{"max_new_token", 5}}), "did you mean 'max_new_tokens'?"));
  CHECK(has(call_message({{"temprature", 5}}), "did you mean 'temperature'?"));
  CHECK(has(call_message({{"top_k", "many"}}), "top_k: expected an integer, got string"));
  CHECK(has(call_message({{"top_k", 1.5}}), "top_k: expected an integer, got 1.5"));
  CHECK(has(call_message({{"do_sample", 1}}), "do_sample: expected true or false, got 1"));
  CHECK(
      has(call_message({{"do_sample", true}, {"min_p", 1.5}}), "min_p: expected a number from 0"));
  CHECK(has(call_message({{"do_sample", true}, {"min_p", 1.5}}), "nearest: 1"));
  CHECK(has(call_message({{"num_return_sequences", 2}}), "set do_sample to true"));
  CHECK(has(call_message({{"early_stopping", "nevr"}}), "did you mean \"never\"?"));
  CHECK(has(call_message({{"stop_strings", ""}}), "stop_strings: holds an empty string"));
  CHECK(has(call_message({{"eos_token_id", 5000000000}}), "eos_token_id: expected a token id"));
  CHECK(call_message({{"top_k", 50.0}, {"eos_token_id", {1, 2}}}) == "no error");
}

TEST_CASE("options without effect are noted, not refused") {
  const auto noted = [](const json& options, std::string_view part) {
    for (const std::string& w : resolve(config_from_json(options)).warnings)
      if (has(w, part)) return true;
    return false;
  };
  CHECK(noted({{"temperature", 0.5}}, "temperature has no effect without do_sample"));
  CHECK(noted({{"length_penalty", 2.0}}, "length_penalty has no effect without num_beams > 1"));
  CHECK(noted({{"max_new_tokens", 5}, {"max_length", 9}}, "takes precedence over max_length"));
  CHECK_FALSE(noted({{"temperature", 0.5}, {"do_sample", true}}, "temperature"));
}

TEST_CASE("options of files: unknown keys are listed, broken values name the file") {
  std::vector<std::string> ignored;
  const auto c = config_from_file_json(
      {{"top_k", 3}, {"transformers_version", "4.57.6"}, {"_from_model_config", true}}, "g.json",
      &ignored);
  CHECK(c.top_k == 3);
  CHECK(ignored == std::vector<std::string>{"transformers_version", "_from_model_config"});
  const std::string message = message_of([] {
    config_from_file_json({{"top_k", "x"}}, "generation_config.json");
  });
  CHECK(has(message, "generation_config.json: top_k: expected an integer"));
}

TEST_CASE("options as command-line text") {
  generation_config c;
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"max_new_tokens", "20"},
                                                        {"temperature", "0.7"},
                                                        {"do_sample", "true"},
                                                        {"eos_token_id", "1,2"},
                                                        {"bad_words_ids", "[[5, 6], [7]]"},
                                                        {"stop_strings", "the end"},
                                                        {"early_stopping", "never"},
                                                        {"top_k", "none"}})
    set_option(c, name, text);
  CHECK(to_json(c) == json({{"max_new_tokens", 20},
                            {"early_stopping", "never"},
                            {"stop_strings", "the end"},
                            {"do_sample", true},
                            {"temperature", 0.7},
                            {"top_k", 0},
                            {"bad_words_ids", {{5, 6}, {7}}},
                            {"eos_token_id", {1, 2}}}));
  CHECK(config_from_json(to_json(c)).bad_words_ids == c.bad_words_ids);
  CHECK(has(message_of([&] { set_option(c, "top_kk", "1"); }), "did you mean 'top_k'?"));
  CHECK(has(message_of([&] { set_option(c, "top_k", "x"); }), "top_k: expected"));
}
