// SPDX-License-Identifier: Apache-2.0
// Bodies of question_answering.hpp.
#pragma once

#include "parlance/pipelines/question_answering.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

PARLANCE_SPLIT_INLINE tokenizers::encoding question_answering::encode(const std::string& question,
                                                                      const std::string& context,
                                                                      const options& o) const {
  const std::int64_t longest =
      o.max_seq_len.value_or(std::min<std::int64_t>(parts_.longest(), 384));
  const std::int64_t stride = o.doc_stride.value_or(std::min<std::int64_t>(longest / 2, 128));
  if (stride > longest)
    throw option_error("doc_stride (" + std::to_string(stride) + ") is larger than max_seq_len (" +
                       std::to_string(longest) + ")");
  if (longest < 1 || stride < 0) throw option_error("max_seq_len and doc_stride: expected sizes");
  tokenizers::encode_options cut = models::detail::cut_to(longest);
  cut.truncation->stride = static_cast<std::uint32_t>(stride);
  cut.truncation->strategy = question_first() ? tokenizers::truncation_strategy::only_second
                                              : tokenizers::truncation_strategy::only_first;
  return question_first() ? parts_.tokenizer->encode(question, context, cut)
                          : parts_.tokenizer->encode(context, question, cut);
}

PARLANCE_SPLIT_INLINE std::vector<bool> question_answering::allowed(
    const tokenizers::encoding& e) const {
  const auto cls = parts_.tokenizer->special_id("cls_token");
  const std::int32_t context = question_first() ? 1 : 0;
  std::vector<bool> out;
  for (std::size_t i = 0; i < e.size(); ++i)
    out.push_back(e.sequence_ids[i] == context || (cls && e.ids[i] == *cls));
  return out;
}

// The `count` best pairs of a first and a last token, of which those stay that may be answers.
PARLANCE_SPLIT_INLINE auto question_answering::best_spans(
    std::span<const float> first, std::span<const float> last, const std::vector<bool>& allowed,
    std::size_t count, std::int64_t max_answer_len) -> std::vector<span> {
  std::vector<span> all;
  const auto reach = static_cast<std::size_t>(max_answer_len);
  for (std::size_t i = 0; i < first.size(); ++i)
    for (std::size_t j = i; j < std::min(first.size(), i + reach); ++j)
      if (const float score = first[i] * last[j]; score > 0) all.push_back({score, i, j});
  std::stable_sort(all.begin(), all.end(),
                   [](const span& a, const span& b) { return a.score > b.score; });
  if (all.size() > count) all.resize(count);
  std::erase_if(all, [&](const span& s) { return !allowed[s.first] || !allowed[s.last]; });
  return all;
}

PARLANCE_SPLIT_INLINE tokenizers::byte_range question_answering::characters_of(
    const tokenizers::encoding& e, const span& s, bool align_to_words) const {
  if (align_to_words) {
    const std::int32_t context = question_first() ? 1 : 0;
    const auto first = e.token_to_word(s.first), last = e.token_to_word(s.last);
    if (first && last) {
      const auto begin = e.word_to_chars(*first, context), end = e.word_to_chars(*last, context);
      if (begin && end) return {begin->begin, end->end};
    }
  }
  return {e.offsets[s.first].begin, e.offsets[s.last].end};
}

PARLANCE_SPLIT_INLINE std::vector<answer> question_answering::answers(const std::string& question,
                                                                      const std::string& context,
                                                                      const options& o) const {
  if (question.empty() || context.empty())
    throw option_error("question-answering: the question or the context is empty");
  if (o.top_k < 1 || o.max_answer_len < 1)
    throw option_error("question-answering: top_k and max_answer_len must be 1 or more");
  tokenizers::encoding e = encode(question, context, o);
  std::vector<tokenizers::encoding> windows = std::move(e.overflowing);
  e.overflowing.clear();
  windows.insert(windows.begin(), std::move(e));
  const auto count = static_cast<std::size_t>(o.align_to_words ? o.top_k * 2 + 10 : o.top_k);
  float null_score = 1000000;
  std::vector<answer> out;
  const auto take = [&](const tokenizers::encoding& window, const float* logits) {
    const std::vector<bool> may = allowed(window);
    std::vector<float> first(window.size()), last(window.size());
    for (std::size_t i = 0; i < window.size(); ++i) {
      first[i] = may[i] ? logits[2 * i] : -10000.0f;
      last[i] = may[i] ? logits[2 * i + 1] : -10000.0f;
    }
    kernels::softmax(first), kernels::softmax(last);
    if (o.handle_impossible_answer) null_score = std::min(null_score, first[0] * last[0]);
    first[0] = last[0] = 0;
    for (const span& s : best_spans(first, last, may, count, o.max_answer_len)) {
      const auto at = characters_of(window, s, o.align_to_words);
      const std::string text = detail::characters(context, at.begin, at.end);
      const auto known = std::find_if(out.begin(), out.end(), [&](const answer& a) {
        return tokenizers::jinja::to_lower(a.text) == tokenizers::jinja::to_lower(text);
      });
      if (known != out.end())
        known->score += s.score;
      else
        out.push_back({s.score, at.begin, at.end, text});
    }
  };
  parts_.forward(windows, [&](std::size_t w, const models::encoder_input& in) {
    const tensor<float> logits = parts_.model->logits(in);
    std::int64_t at = 0;
    for (const std::int64_t n : in.lengths) {
      take(windows[w++], logits.row(at));
      at += n;
    }
  });
  if (o.handle_impossible_answer) out.push_back({null_score, 0, 0, ""});
  std::stable_sort(out.begin(), out.end(),
                   [](const answer& a, const answer& b) { return a.score > b.score; });
  if (static_cast<std::int64_t>(out.size()) > o.top_k)
    out.resize(static_cast<std::size_t>(o.top_k));
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
