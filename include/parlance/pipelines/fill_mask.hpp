// SPDX-License-Identifier: Apache-2.0
// Fill-mask: the likeliest tokens at each mask of a text. Rules of transformers 4.57's
// FillMaskPipeline.
#pragma once

#include <set>

#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct fill_mask_options {
  std::int64_t top_k = 5;
  // Only these may fill; scores stay those of the whole vocabulary. A string that is no token
  // stands for its first token.
  std::vector<std::string> targets{};
  encoder_text_options tokenizer_kwargs{};
};

struct filled_mask {
  float score = 0;
  std::int32_t token = 0;
  std::string token_str, sequence;
};

class fill_mask {
 public:
  using options = fill_mask_options;
  using output = std::vector<std::vector<filled_mask>>;  // for each mask, best first

  explicit fill_mask(const std::string& model, const pipeline_options& o = {})
      : fill_mask(load_encoder_parts(model, o, "fill-mask", &models::load_masked_lm)) {}
  explicit fill_mask(encoder_parts<models::masked_lm> parts) : parts_(std::move(parts)) {
    const auto mask = parts_.tokenizer->special_id("mask_token");
    if (!mask) throw option_error("fill-mask: the tokenizer has no mask_token");
    mask_ = *mask;
  }

  output operator()(const std::string& text, const options& o = {}) const {
    const tokenizers::encoding e = parts_.encode(text, o.tokenizer_kwargs);
    std::vector<std::int64_t> masks;
    for (std::size_t i = 0; i < e.size(); ++i)
      if (e.ids[i] == mask_) masks.push_back(static_cast<std::int64_t>(i));
    if (masks.empty())
      throw option_error("fill-mask: the text has no mask token",
                         "write " + *parts_.tokenizer->special_token("mask_token"));
    const std::vector<std::int32_t> targets = target_ids(o.targets);
    output out;
    parts_.forward({&e, 1}, [&](std::size_t, const models::encoder_input& in) {
      tensor<float> logits = parts_.model->logits(in, masks);
      for (std::int64_t m = 0; m < logits.rows(); ++m) {
        const std::span<float> scores(logits.row(m), static_cast<std::size_t>(logits.cols()));
        kernels::softmax(scores);
        out.push_back({});
        for (const auto& [score, id] : best(scores, targets, o.top_k))
          out.back().push_back(filled(e, masks, static_cast<std::size_t>(m), score, id));
      }
    });
    return out;
  }
  std::int32_t mask_id() const { return mask_; }
  const std::string mask_token() const { return *parts_.tokenizer->special_token("mask_token"); }

 private:
  using scored = std::pair<float, std::int32_t>;

  std::vector<std::int32_t> target_ids(const std::vector<std::string>& targets) const {
    std::set<std::int32_t> ids;
    for (const std::string& target : targets) {
      if (const auto id = parts_.tokenizer->token_to_id(target)) {
        ids.insert(*id);
        continue;
      }
      const auto pieces = parts_.tokenizer->encode_ids(target, {.add_special_tokens = false});
      if (!pieces.empty()) ids.insert(pieces.front());
    }
    if (!targets.empty() && ids.empty())
      throw option_error("fill-mask: none of the targets is a token");
    return {ids.begin(), ids.end()};
  }
  static std::vector<scored> best(std::span<const float> scores,
                                  const std::vector<std::int32_t>& targets, std::int64_t top_k) {
    std::vector<scored> all;
    if (top_k < 1) throw option_error("top_k: expected 1 or more, got " + std::to_string(top_k));
    if (targets.empty()) {
      if (top_k > static_cast<std::int64_t>(scores.size()))
        throw option_error("top_k: " + std::to_string(top_k) + " of a vocabulary of " +
                           std::to_string(scores.size()));
      for (const auto& [score, id] : kernels::top_k(scores, static_cast<std::size_t>(top_k)))
        all.emplace_back(score, static_cast<std::int32_t>(id));
      return all;
    }
    for (const std::int32_t id : targets)
      all.emplace_back(scores[static_cast<std::size_t>(id)], id);
    std::stable_sort(all.begin(), all.end(),
                     [](const scored& a, const scored& b) { return a.first > b.first; });
    if (top_k < static_cast<std::int64_t>(all.size())) all.resize(static_cast<std::size_t>(top_k));
    return all;
  }
  // Other masks are special tokens: they are shown when there are several.
  filled_mask filled(const tokenizers::encoding& e, const std::vector<std::int64_t>& masks,
                     std::size_t which, float score, std::int32_t id) const {
    std::vector<std::int32_t> ids = e.ids;
    ids[static_cast<std::size_t>(masks[which])] = id;
    if (const auto pad = parts_.tokenizer->pad_id()) std::erase(ids, *pad);
    return {score, id, parts_.tokenizer->decode(std::vector{id}),
            parts_.tokenizer->decode(ids, {.skip_special_tokens = masks.size() == 1})};
  }

  encoder_parts<models::masked_lm> parts_;
  std::int32_t mask_ = 0;
};

template <>
struct pipeline_for<"fill-mask"> {
  using type = fill_mask;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
