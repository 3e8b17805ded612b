// SPDX-License-Identifier: Apache-2.0
// Extractive question answering: the span of the context that answers best, over windows of long
// contexts. Rules of transformers 4.57's QuestionAnsweringPipeline.
#pragma once

#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct question_answering_options {
  std::int64_t top_k = 1;
  std::optional<std::int64_t> max_seq_len{};  // not set: 384, or what the tokenizer takes
  std::optional<std::int64_t> doc_stride{};   // overlap; not set: 128, or half of max_seq_len
  std::int64_t max_answer_len = 15;           // tokens
  bool handle_impossible_answer = false;      // the answer may be ""
  bool align_to_words = true;                 // whole words where the tokenizer knows them
};

struct answer {
  float score = 0;
  std::int64_t start = 0, end = 0;  // characters of the context
  std::string text;                 // `answer` of the original
};

class question_answering {
 public:
  using options = question_answering_options;

  explicit question_answering(const std::string& model, const pipeline_options& o = {})
      : parts_(
            load_encoder_parts(model, o, "question-answering", &models::load_question_answerer)) {}
  explicit question_answering(encoder_parts<models::question_answerer> parts)
      : parts_(std::move(parts)) {}

  // The best answer; without any, an empty one with score 0.
  answer operator()(const std::string& question, const std::string& context,
                    const options& o = {}) const {
    std::vector<answer> all = answers(question, context, o);
    return all.empty() ? answer{} : std::move(all.front());
  }
  // Up to top_k answers, best first.
  std::vector<answer> answers(const std::string& question, const std::string& context,
                              const options& o = {}) const;

 private:
  struct span {
    float score;
    std::size_t first, last;  // tokens
  };

  bool question_first() const {
    return parts_.tokenizer->config().padding_side == tokenizers::direction::right;
  }
  tokenizers::encoding encode(const std::string& question, const std::string& context,
                              const options& o) const;
  // Which tokens may be in an answer: the context's and the CLS token.
  std::vector<bool> allowed(const tokenizers::encoding& e) const;
  static std::vector<span> best_spans(std::span<const float> first, std::span<const float> last,
                                      const std::vector<bool>& allowed, std::size_t count,
                                      std::int64_t max_answer_len);
  tokenizers::byte_range characters_of(const tokenizers::encoding& e, const span& s,
                                       bool align_to_words) const;

  encoder_parts<models::question_answerer> parts_;
};

template <>
struct pipeline_for<"question-answering"> {
  using type = question_answering;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/question_answering.hpp"
#endif
