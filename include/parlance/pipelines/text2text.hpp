// SPDX-License-Identifier: Apache-2.0
// What the pipelines over encoder-decoders share: text in, text out, with the options, defaults and
// outputs of transformers 4.57's Text2TextGenerationPipeline (pipelines/text2text_generation.py).
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parlance/pipelines/language_model.hpp"
#include "parlance/pipelines/pipeline.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// Options beside those of generation.
struct text2text_options {
  bool clean_up_tokenization_spaces = false;
  bool truncation = false;              // cuts inputs to what the tokenizer says the model takes
  std::optional<std::string> prefix{};  // not set: the model's own for this task
  std::optional<std::string> stop_sequence{};  // its first id ends the text
  // Translation with mBART, mBART-50, NLLB and M2M100; not set: as the task's name says.
  std::optional<std::string> src_lang{}, tgt_lang{};
  // Ours. Summarization: a text that is too long is summarized window by window, then the summaries
  // are. Translation: sentence by sentence, with the white space between them.
  bool long_input = false;
  generation::timing* timing = nullptr;
};

struct text2text_result {
  std::string text;
  std::vector<std::int32_t> ids;  // without the start that the decoder is given
  generation::finish_reason finish_reason = generation::finish_reason::none;
  float score = 0;  // of beams
};

class text2text {
 public:
  using config = generation::generation_config;
  using options = text2text_options;

  // `task` as the user wrote it: it chooses among config.json's task_specific_params, and
  // translation_xx_to_yy says the languages.
  text2text(const std::string& model, std::string task, const pipeline_options& o = {})
      : text2text(load_seq2seq_model(model, o, task), task) {}
  text2text(seq2seq_model parts, std::string task)
      : parts_(std::move(parts)), task_(std::move(task)), language_(new std::mutex) {}

  // The num_return_sequences results of each text, of beams the best first.
  std::vector<std::vector<text2text_result>> operator()(const std::vector<std::string>& texts,
                                                        const config& call = {},
                                                        const options& o = {}) const;

  // Final option values for a call, and where each came from (see generation::explain).
  generation::resolved_config resolve(const config& call = {}, const options& o = {}) const;
  // Tokens that an input may have, special ones included.
  std::int64_t max_source_tokens() const;

  const models::seq2seq_lm& model() const { return *parts_.model; }
  const tokenizers::tokenizer& tokenizer() const { return *parts_.tokenizer; }
  const std::string& task() const { return task_; }

 private:
  using ids = std::vector<std::int32_t>;

  bool translates() const { return task_.starts_with("translation"); }
  // {source, target}, where the tokenizer needs them.
  std::optional<std::pair<std::string, std::string>> languages(const options& o) const;
  std::vector<ids> encode(const std::vector<std::string>& texts, const options& o) const;
  std::vector<std::vector<text2text_result>> run(const std::vector<ids>& sources,
                                                 const generation::resolved_config& config,
                                                 const options& o) const;
  std::vector<std::vector<text2text_result>> run(const std::vector<std::string>& texts,
                                                 const config& call, const options& o) const;
  text2text_result make_result(generation::generated g, std::int32_t start, const options& o) const;

  std::vector<text2text_result> summarize_windows(const std::string& text, const config& call,
                                                  const options& o) const;
  std::vector<text2text_result> translate_sentences(const std::string& text, const config& call,
                                                    const options& o) const;
  // Runs of sentences of at most `most` tokens; a longer sentence stands alone.
  std::vector<std::string> windows(const std::string& text, std::int64_t most,
                                   const options& o) const;

  seq2seq_model parts_;
  std::string task_;
  std::unique_ptr<std::mutex> language_;  // the tokenizer speaks one language at a time
};

// A task over it. Output: an aggregate of text, ids, finish reason and score.
template <class Output>
class text2text_pipeline {
 public:
  using config = generation::generation_config;
  using options = text2text_options;
  using output = Output;

  explicit text2text_pipeline(text2text task) : run_(std::move(task)) {}

  // One text, one result (the best, when several are asked for).
  output operator()(const std::string& text, const config& call = {}, const options& o = {}) const {
    return make(std::move(run_(std::vector<std::string>{text}, call, o).front().front()));
  }
  // Each text's num_return_sequences results.
  std::vector<std::vector<output>> operator()(const std::vector<std::string>& texts,
                                              const config& call = {},
                                              const options& o = {}) const {
    std::vector<std::vector<output>> out;
    for (auto& results : run_(texts, call, o)) {
      out.emplace_back();
      for (text2text_result& r : results) out.back().push_back(make(std::move(r)));
    }
    return out;
  }
  generation::resolved_config resolve(const config& call = {}, const options& o = {}) const {
    return run_.resolve(call, o);
  }
  const text2text& task() const { return run_; }

 private:
  static output make(text2text_result r) {
    return {std::move(r.text), std::move(r.ids), r.finish_reason, r.score};
  }
  text2text run_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/text2text.hpp"
#endif
