// SPDX-License-Identifier: Apache-2.0
// The JSON face of text2text-generation, summarization and translation.
#pragma once

#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/impl/json_parameters.hpp"
#include "parlance/pipelines/summarization.hpp"
#include "parlance/pipelines/text2text_generation.hpp"
#include "parlance/pipelines/translation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

// What a task's results are called, as in "summary_text"; empty for other tasks.
inline std::string text2text_key(const std::string& task) {
  if (task == "text2text-generation") return "generated";
  if (task == "summarization") return "summary";
  const bool pair = task.starts_with("translation_") && std::ranges::count(task, '_') == 3;
  return task == "translation" || pair ? "translation" : "";
}

class json_text2text final : public json_pipeline {
 public:
  json_text2text(text2text run, std::string key) : run_(std::move(run)), key_(std::move(key)) {}

  json operator()(const json& payload) override {
    const json& inputs = inputs_of(payload, run_.task());
    generation::generation_config call;
    text2text_options o;
    bool tensors = false;
    const parameter_readers own = {
        {"return_tensors", [&](auto& n, auto& v) { tensors = read_flag(n, v); }},
        {"return_text", [&](auto& n, auto& v) { read_flag(n, v); }},
        {"clean_up_tokenization_spaces",
         [&](auto& n, auto& v) { o.clean_up_tokenization_spaces = read_flag(n, v); }},
        {"truncation", [&](auto&, auto& v) { o.truncation = read_truncation(v); }},
        {"stop_sequence", [&](auto& n, auto& v) { o.stop_sequence = read_string(n, v); }},
        {"prefix", [&](auto& n, auto& v) { o.prefix = read_string(n, v); }},
        {"long_input", [&](auto& n, auto& v) { o.long_input = read_flag(n, v); }},
        {"src_lang", [&](auto& n, auto& v) { o.src_lang = read_string(n, v); }},
        {"tgt_lang", [&](auto& n, auto& v) { o.tgt_lang = read_string(n, v); }}};
    read_parameters(parameters_of(payload), own, call);
    if (!inputs.is_string() && !inputs.is_array())
      throw option_error(run_.task() + ": inputs must be a string or a list of strings");
    const bool one = inputs.is_string();
    const auto all = run_(one ? read_texts({inputs}) : read_texts(inputs), call, o);
    const generation::resolved_config config = run_.resolve(call, o);
    json out = json::array();
    for (const auto& results : all) {
      json list = records(results, tensors, config);
      if (one) return list;
      out.push_back(std::move(list));
    }
    // A list of texts with one result each is a flat list.
    if (std::ranges::all_of(out, [](const json& r) { return r.size() == 1; }))
      for (json& each : out) each = json(each[0]);
    return out;
  }

 private:
  json records(const std::vector<text2text_result>& results, bool tensors,
               const generation::resolved_config& config) const {
    std::size_t longest = 0;
    for (const auto& r : results) longest = std::max(longest, r.ids.size());
    json out = json::array();
    for (const auto& r : results) {
      if (!tensors) {
        out.push_back({{key_ + "_text", r.text}});
        continue;
      }
      std::vector<std::int32_t> ids{generation::decoder_start(config)};
      ids.insert(ids.end(), r.ids.begin(), r.ids.end());
      ids.resize(longest + 1, padding(config));
      out.push_back({{key_ + "_token_ids", ids}});
    }
    return out;
  }
  // What fills up the shorter of several results; beams take a pad id of 0 for none.
  static std::int32_t padding(const generation::resolved_config& c) {
    const std::int32_t pad = c.pad_token_id.value_or(0);
    return pad == 0 && c.num_beams > 1 && c.has_eos() ? (*c.eos_token_id)[0] : pad;
  }

  text2text run_;
  std::string key_;
};

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::pipelines
