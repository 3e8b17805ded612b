// SPDX-License-Identifier: Apache-2.0
// The JSON face of text2text-generation, summarization and translation.
#pragma once

#include <algorithm>
#include <string>

#include "parlance/pipelines/json_pipeline.hpp"
#include "parlance/pipelines/parameters.hpp"
#include "parlance/pipelines/summarization.hpp"
#include "parlance/pipelines/text2text_generation.hpp"
#include "parlance/pipelines/translation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

// What a task's results are called, as in "summary_text"; empty for other tasks.
inline std::string text2text_key(const std::string& task) {
  if (task == "text2text-generation") return "generated";
  if (task == "summarization") return "summary";
  const bool pair = task.starts_with("translation_") && std::ranges::count(task, '_') == 3 &&
                    task.find("_to_", task.find('_') + 1) != task.npos;
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
    bool ignored = false;
    parameter_readers p;
    p.flag("return_tensors", tensors).flag("return_text", ignored);
    p.flag("clean_up_tokenization_spaces", o.clean_up_tokenization_spaces);
    p.add("truncation", [&](const json& v) { o.truncation = read_truncation(v); });
    p.text("stop_sequence", o.stop_sequence).text("prefix", o.prefix);
    p.flag("long_input", o.long_input).text("src_lang", o.src_lang).text("tgt_lang", o.tgt_lang);
    p.read(parameters_of(payload), &call);
    if (!inputs.is_string() && !inputs.is_array())
      throw option_error(run_.task() + ": inputs must be a string or a list of strings");
    const bool one = inputs.is_string();
    const auto all = run_(parameter_readers::read_texts("inputs", inputs), call, o);
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
