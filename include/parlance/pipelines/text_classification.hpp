// SPDX-License-Identifier: Apache-2.0
// Text classification (sentiment, topics, regression), with the options, defaults and outputs of
// transformers 4.57's TextClassificationPipeline.
#pragma once

#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct text_classification_options {
  std::optional<std::int64_t> top_k = 1;  // empty: every label
  // "sigmoid", "softmax" or "none". Not set: none for regression, sigmoid for several labels at
  // once or a single one, else softmax.
  std::optional<std::string> function_to_apply{};
  encoder_text_options tokenizer_kwargs{};
};

class text_classification {
 public:
  using options = text_classification_options;
  using output = std::vector<label_score>;  // best first

  explicit text_classification(const std::string& model, const pipeline_options& o = {})
      : parts_(load_encoder_parts(model, o, "text-classification",
                                  &models::load_sequence_classifier)) {}
  explicit text_classification(encoder_parts<models::sequence_classifier> parts)
      : parts_(std::move(parts)) {}

  output operator()(const text_or_pair& input, const options& o = {}) const {
    return std::move((*this)(std::vector{input}, o).front());
  }
  std::vector<output> operator()(const std::vector<text_or_pair>& inputs,
                                 const options& o = {}) const {
    std::vector<output> out = scores(inputs, o);
    for (output& labels : out) {
      std::stable_sort(labels.begin(), labels.end(),
                       [](const auto& a, const auto& b) { return a.score > b.score; });
      if (o.top_k && *o.top_k < static_cast<std::int64_t>(labels.size()))
        labels.resize(static_cast<std::size_t>(std::max<std::int64_t>(*o.top_k, 0)));
    }
    return out;
  }
  // Every label in the order of the model's ids.
  std::vector<output> scores(const std::vector<text_or_pair>& inputs, const options& o = {}) const {
    std::vector<tokenizers::encoding> all;
    for (const text_or_pair& in : inputs) all.push_back(parts_.encode(in, o.tokenizer_kwargs));
    std::vector<output> out;
    const std::string function = function_of(o);
    parts_.forward(all, [&](std::size_t, const models::encoder_input& in) {
      tensor<float> logits = parts_.model->logits(in);
      for (std::int64_t i = 0; i < logits.rows(); ++i)
        out.push_back(apply(function, {logits.row(i), static_cast<std::size_t>(logits.cols())}));
    });
    return out;
  }
  const models::sequence_classifier& model() const { return *parts_.model; }

 private:
  std::string function_of(const options& o) const {
    if (o.function_to_apply) {
      const std::string name = tokenizers::jinja::to_lower(*o.function_to_apply);
      constexpr std::array<std::string_view, 3> known = {"sigmoid", "softmax", "none"};
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw option_error("function_to_apply: '" + name + "'", did_you_mean(name, known));
      return name;
    }
    const json& config = parts_.model->config();
    const auto type = config.find("problem_type");
    const std::string problem =
        type != config.end() && type->is_string() ? type->get<std::string>() : "";
    if (problem == "regression") return "none";
    return problem == "multi_label_classification" || parts_.model->labels().size() == 1
               ? "sigmoid"
               : "softmax";
  }
  output apply(const std::string& function, std::span<float> scores) const {
    if (function == "softmax") kernels::softmax(scores);
    if (function == "sigmoid")
      for (float& x : scores) x = 1 / (1 + std::exp(-x));
    output out;
    for (std::size_t i = 0; i < scores.size(); ++i)
      out.push_back({parts_.model->labels().at(i), scores[i]});
    return out;
  }

  encoder_parts<models::sequence_classifier> parts_;
};

template <>
struct pipeline_for<"text-classification"> {
  using type = text_classification;
};
template <>
struct pipeline_for<"sentiment-analysis"> {
  using type = text_classification;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
