// SPDX-License-Identifier: Apache-2.0
// Bodies of token_classification.hpp.
#pragma once

#include "parlance/pipelines/token_classification.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

PARLANCE_SPLIT_INLINE auto token_classification::cut(const options& o) const
    -> tokenizers::encode_options {
  tokenizers::encode_options out = models::detail::cut_to(parts_.longest());
  if (!o.stride) return out;
  if (*o.stride < 0 || *o.stride >= parts_.longest())
    throw option_error("stride: " + std::to_string(*o.stride) + ", expected less than the " +
                       std::to_string(parts_.longest()) + " tokens that the model takes");
  if (o.aggregation_strategy == aggregation_strategy::none)
    throw option_error("stride: needs an aggregation_strategy other than none");
  out.truncation->stride = static_cast<std::uint32_t>(*o.stride);
  return out;
}

// Whether the tokenizer's model marks the tokens that continue a word.
PARLANCE_SPLIT_INLINE bool token_classification::word_aware() const {
  return parts_.tokenizer->get_model().visit([](const auto& m) {
    if constexpr (requires { m.options().continuing_subword_prefix; })
      return !m.options().continuing_subword_prefix.empty();
    else
      return false;
  });
}

PARLANCE_SPLIT_INLINE auto token_classification::run(const tokenizers::encoding& e,
                                                     const std::string& text,
                                                     const std::vector<std::uint32_t>& word_begins,
                                                     const options& o) const -> output {
  std::vector<tokenizers::encoding> windows{e};
  windows.front().overflowing.clear();
  if (o.stride) windows.insert(windows.end(), e.overflowing.begin(), e.overflowing.end());
  output out;
  parts_.forward(windows, [&](std::size_t first, const models::encoder_input& in) {
    tensor<float> logits = parts_.model->logits(in);
    for (std::int64_t r = 0; r < logits.rows(); ++r)
      kernels::softmax({logits.row(r), static_cast<std::size_t>(logits.cols())});
    std::int64_t at = 0;
    for (std::size_t w = 0; w < in.lengths.size(); at += in.lengths[w++]) {
      const auto tokens = gather(windows[first + w], logits.row(at), text, word_begins);
      std::vector<entity> found;
      if (o.aggregation_strategy <= aggregation_strategy::simple)
        for (const scored& token : tokens) found.push_back(decide(token));
      else
        found = words(tokens, o.aggregation_strategy);
      if (o.aggregation_strategy != aggregation_strategy::none) found = groups(found);
      for (entity& each : found)
        if (std::find(o.ignore_labels.begin(), o.ignore_labels.end(), each.label) ==
            o.ignore_labels.end())
          out.push_back(std::move(each));
    }
  });
  return windows.size() > 1 ? without_overlaps(std::move(out)) : out;
}

PARLANCE_SPLIT_INLINE auto token_classification::gather(
    const tokenizers::encoding& e, const float* probabilities, const std::string& text,
    const std::vector<std::uint32_t>& word_begins) const -> std::vector<scored> {
  const std::size_t labels = parts_.model->labels().size();
  const bool aware = word_aware();
  const auto unknown = parts_.tokenizer->unk_id();
  std::vector<scored> out;
  for (std::size_t i = 0; i < e.size(); ++i) {
    if (e.special_tokens_mask[i]) continue;
    scored t;
    t.word = parts_.tokenizer->id_to_token(e.ids[i]).value_or("");
    t.scores.assign(probabilities + i * labels, probabilities + (i + 1) * labels);
    t.index = static_cast<std::int64_t>(i);
    const std::uint32_t shift = word_begins.empty() || e.word_ids[i] < 0
                                    ? 0
                                    : word_begins[static_cast<std::size_t>(e.word_ids[i])];
    t.start = e.offsets[i].begin + shift;
    t.end = e.offsets[i].end + shift;
    const std::string shown = detail::characters(text, t.start, t.end);
    if (aware)
      t.is_subword = utf8_length(t.word) != utf8_length(shown);
    else  // the original's guess
      t.is_subword = t.start > 0 && detail::characters(text, t.start - 1, t.start + 1).find(' ') ==
                                        std::string::npos;
    if (unknown && e.ids[i] == *unknown) {
      t.word = shown;
      t.is_subword = false;
    }
    out.push_back(std::move(t));
  }
  return out;
}

PARLANCE_SPLIT_INLINE entity token_classification::decide(const scored& token) const {
  const auto best = static_cast<std::size_t>(kernels::argmax(token.scores));
  return {parts_.model->labels()[best],
          token.scores[best],
          token.word,
          token.index,
          token.start,
          token.end};
}

PARLANCE_SPLIT_INLINE entity token_classification::decide_word(
    std::span<const scored> tokens, aggregation_strategy strategy) const {
  std::vector<std::string> parts;
  for (const scored& t : tokens) parts.push_back(t.word);
  std::vector<float> scores = tokens.front().scores;
  if (strategy == aggregation_strategy::max) {
    for (const scored& t : tokens)
      if (kernels::max_value(t.scores) > kernels::max_value(scores)) scores = t.scores;
  } else if (strategy == aggregation_strategy::average) {
    for (const scored& t : tokens.subspan(1))
      for (std::size_t i = 0; i < scores.size(); ++i) scores[i] += t.scores[i];
    for (float& s : scores) s /= static_cast<float>(tokens.size());
  }
  const auto best = static_cast<std::size_t>(kernels::argmax(scores));
  return {parts_.model->labels()[best],
          scores[best],
          parts_.tokenizer->tokens_to_text(std::move(parts)),
          -1,
          tokens.front().start,
          tokens.back().end};
}

PARLANCE_SPLIT_INLINE std::vector<entity> token_classification::words(
    std::span<const scored> tokens, aggregation_strategy strategy) const {
  std::vector<entity> out;
  for (std::size_t begin = 0, end; begin < tokens.size(); begin = end) {
    for (end = begin + 1; end < tokens.size() && tokens[end].is_subword;) ++end;
    out.push_back(decide_word(tokens.subspan(begin, end - begin), strategy));
  }
  return out;
}

// Neighbours with the same tag join, unless the later one begins an entity (B-).
PARLANCE_SPLIT_INLINE std::vector<entity> token_classification::groups(
    std::span<const entity> entities) const {
  const auto tag = [](const std::string& label) {
    const bool marked = label.starts_with("B-") || label.starts_with("I-");
    return std::string_view(label).substr(marked ? 2 : 0);
  };
  std::vector<entity> out;
  for (std::size_t begin = 0, end; begin < entities.size(); begin = end) {
    for (end = begin + 1; end < entities.size() && !entities[end].label.starts_with("B-") &&
                          tag(entities[end].label) == tag(entities[end - 1].label);)
      ++end;
    out.push_back(join(entities.subspan(begin, end - begin)));
  }
  return out;
}

PARLANCE_SPLIT_INLINE entity token_classification::join(std::span<const entity> entities) const {
  std::vector<std::string> parts;
  float sum = 0;
  for (const entity& e : entities) parts.push_back(e.word), sum += e.score;
  const std::string& label = entities.front().label;
  const std::size_t dash = label.find('-');
  return {dash == label.npos ? label : label.substr(dash + 1),
          sum / static_cast<float>(entities.size()),
          parts_.tokenizer->tokens_to_text(std::move(parts)),
          -1,
          entities.front().start,
          entities.back().end};
}

// Of entities that overlap, the longer stays; of equally long ones the surer.
PARLANCE_SPLIT_INLINE auto token_classification::without_overlaps(output entities) -> output {
  std::stable_sort(entities.begin(), entities.end(),
                   [](const entity& a, const entity& b) { return a.start < b.start; });
  output out;
  for (entity& e : entities) {
    if (out.empty() || e.start < out.back().start || e.start >= out.back().end) {
      out.push_back(std::move(e));
      continue;
    }
    entity& last = out.back();
    const std::uint32_t now = e.end - e.start, before = last.end - last.start;
    if (now > before || (now == before && e.score > last.score)) last = std::move(e);
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
