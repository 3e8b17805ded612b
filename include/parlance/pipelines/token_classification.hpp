// SPDX-License-Identifier: Apache-2.0
// Token classification (named entities, parts of speech), with the aggregation strategies of
// transformers 4.57's TokenClassificationPipeline.
#pragma once

#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// none: a result for each token. The others join neighbours of one kind; first, average and max
// first make the tokens of a word agree: on the first token's label, the mean of their
// probabilities, the surest token's.
enum class aggregation_strategy { none, simple, first, average, max };

inline aggregation_strategy parse_aggregation_strategy(std::string_view text) {
  const std::string name = tokenizers::jinja::to_lower(text);
  constexpr std::array<std::string_view, 5> names = {"none", "simple", "first", "average", "max"};
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw option_error("aggregation_strategy: '" + name + "'", did_you_mean(name, names));
  return static_cast<aggregation_strategy>(found - names.begin());
}

struct token_classification_options {
  pipelines::aggregation_strategy aggregation_strategy = pipelines::aggregation_strategy::none;
  std::vector<std::string> ignore_labels = {"O"};
  // Reads long texts in windows that overlap by so many tokens; not set: they are cut.
  std::optional<std::int64_t> stride{};
  std::string delimiter = " ";  // between words that were split before
};

struct entity {
  std::string label;  // `entity`, or `entity_group` when aggregated
  float score = 0;
  std::string word;
  std::int64_t index = -1;           // of the token; not when aggregated
  std::uint32_t start = 0, end = 0;  // characters of the text
};

class token_classification {
 public:
  using options = token_classification_options;
  using output = std::vector<entity>;

  explicit token_classification(const std::string& model, const pipeline_options& o = {})
      : parts_(
            load_encoder_parts(model, o, "token-classification", &models::load_token_classifier)) {}
  explicit token_classification(encoder_parts<models::token_classifier> parts)
      : parts_(std::move(parts)) {}

  output operator()(const std::string& text, const options& o = {}) const {
    return run(parts_.tokenizer->encode(text, cut(o)), text, {}, o);
  }
  // Words that were split before; positions count in the words joined by the delimiter.
  output operator()(const std::vector<std::string>& words, const options& o = {}) const {
    std::string text;
    std::vector<std::uint32_t> begins;
    for (const std::string& word : words) {
      if (!begins.empty()) text += o.delimiter;
      begins.push_back(static_cast<std::uint32_t>(utf8_length(text)));
      text += word;
    }
    return run(parts_.tokenizer->encode(std::span<const std::string>(words), cut(o)), text, begins,
               o);
  }

 private:
  // A token or a word with its probabilities.
  struct scored {
    std::string word;
    std::vector<float> scores;
    std::int64_t index;
    std::uint32_t start, end;
    bool is_subword;
  };

  tokenizers::encode_options cut(const options& o) const;
  output run(const tokenizers::encoding& e, const std::string& text,
             const std::vector<std::uint32_t>& word_begins, const options& o) const;
  std::vector<scored> gather(const tokenizers::encoding& e, const float* probabilities,
                             const std::string& text,
                             const std::vector<std::uint32_t>& word_begins) const;
  entity decide(const scored& token) const;
  entity decide_word(std::span<const scored> tokens, aggregation_strategy strategy) const;
  std::vector<entity> words(std::span<const scored> tokens, aggregation_strategy strategy) const;
  std::vector<entity> groups(std::span<const entity> entities) const;
  entity join(std::span<const entity> entities) const;
  static output without_overlaps(output entities);
  bool word_aware() const;

  encoder_parts<models::token_classifier> parts_;
};

template <>
struct pipeline_for<"token-classification"> {
  using type = token_classification;
};
template <>
struct pipeline_for<"ner"> {
  using type = token_classification;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/token_classification.hpp"
#endif
