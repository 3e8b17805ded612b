// SPDX-License-Identifier: Apache-2.0
// Zero-shot classification by natural language inference: does the text entail "This example is
// LABEL."? Rules of transformers 4.57's ZeroShotClassificationPipeline.
#pragma once

#include <numeric>

#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct zero_shot_options {
  std::string hypothesis_template = "This example is {}.";
  bool multi_label = false;  // each label for itself, against contradiction
};

struct zero_shot_output {
  std::string sequence;
  std::vector<std::string> labels;  // best first
  std::vector<float> scores;
};

class zero_shot_classification {
 public:
  using options = zero_shot_options;
  using output = zero_shot_output;

  explicit zero_shot_classification(const std::string& model, const pipeline_options& o = {})
      : zero_shot_classification(load_encoder_parts(model, o, "zero-shot-classification",
                                                    &models::load_sequence_classifier)) {}
  explicit zero_shot_classification(encoder_parts<models::sequence_classifier> parts)
      : parts_(std::move(parts)) {
    find_entailment();
  }

  output operator()(const std::string& text, const std::vector<std::string>& candidate_labels,
                    const options& o = {}) const {
    if (text.empty() || candidate_labels.empty())
      throw option_error("zero-shot-classification: a text and at least one label are needed");
    const std::size_t n = candidate_labels.size();
    std::vector<tokenizers::encoding> all;
    for (const std::string& label : candidate_labels)
      all.push_back(encode(text, hypothesis(o.hypothesis_template, label)));
    std::vector<float> entail(n), contradict(n);
    std::size_t at = 0;
    parts_.forward(all, [&](std::size_t, const models::encoder_input& in) {
      const tensor<float> logits = parts_.model->logits(in);
      const std::int64_t last = logits.cols() - 1;
      const std::int64_t e = entailment_ < 0 ? last : entailment_, c = entailment_ == 0 ? last : 0;
      for (std::int64_t i = 0; i < logits.rows(); ++i, ++at)
        entail[at] = logits.row(i)[e], contradict[at] = logits.row(i)[c];
    });
    if (o.multi_label || n == 1) {
      for (std::size_t i = 0; i < n; ++i) {
        float both[] = {contradict[i], entail[i]};
        kernels::softmax(both);
        entail[i] = both[1];
      }
    } else {
      kernels::softmax(entail);
    }
    return sorted(text, candidate_labels, entail);
  }
  // The classes that the model tells apart, and whether one of them is named like entailment; if
  // not, the last is taken for it.
  const models::sequence_classifier& model() const { return *parts_.model; }
  bool knows_entailment() const { return entailment_ >= 0; }

 private:
  void find_entailment() {
    const auto starts = [](const std::string& label) {
      return tokenizers::jinja::to_lower(label).starts_with("entail");
    };
    const json& config = parts_.model->config();
    if (const auto ids = config.find("label2id"); ids != config.end() && ids->is_object()) {
      for (const auto& [label, id] : ids->items())
        if (starts(label) && id.is_number_integer()) {
          entailment_ = id.get<std::int64_t>();
          break;
        }
    } else {
      const auto& labels = parts_.model->labels();
      const auto found = std::find_if(labels.begin(), labels.end(), starts);
      if (found != labels.end()) entailment_ = found - labels.begin();
    }
    const auto count = static_cast<std::int64_t>(parts_.model->labels().size());
    if (entailment_ >= count)
      throw format_error("config.json", -1,
                         "label2id: entailment is class " + std::to_string(entailment_) + " of " +
                             std::to_string(count));
  }
  // Only the text is cut; when it cannot be cut enough, nothing is.
  tokenizers::encoding encode(const std::string& text, const std::string& hypothesis) const {
    tokenizers::encode_options cut = models::detail::cut_to(parts_.longest());
    cut.truncation->strategy = tokenizers::truncation_strategy::only_first;
    try {
      return parts_.tokenizer->encode(text, hypothesis, cut);
    } catch (const option_error&) {
      return parts_.tokenizer->encode(text, hypothesis);
    }
  }
  // The template as Python's str.format fills it.
  static std::string hypothesis(const std::string& form, const std::string& label) {
    std::string out;
    bool filled = false;
    for (std::size_t i = 0; i < form.size(); ++i) {
      const std::string_view rest = std::string_view(form).substr(i);
      if (rest.starts_with("{{") || rest.starts_with("}}")) {
        out += form[i++];
      } else if (rest.starts_with("{}") || rest.starts_with("{0}")) {
        out += label;
        filled = true;
        i += rest[1] == '}' ? 1 : 2;
      } else if (form[i] == '{' || form[i] == '}') {
        throw option_error("hypothesis_template: '" + form + "'", "{} stands for the label");
      } else {
        out += form[i];
      }
    }
    if (!filled) throw option_error("hypothesis_template: '" + form + "' has no {} for the label");
    return out;
  }
  static output sorted(const std::string& text, const std::vector<std::string>& labels,
                       const std::vector<float>& scores) {
    std::vector<std::size_t> order(labels.size());
    std::iota(order.rbegin(), order.rend(), std::size_t{0});  // of equals the last one first
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    output out{text, {}, {}};
    for (const std::size_t i : order)
      out.labels.push_back(labels[i]), out.scores.push_back(scores[i]);
    return out;
  }

  encoder_parts<models::sequence_classifier> parts_;
  std::int64_t entailment_ = -1;
};

template <>
struct pipeline_for<"zero-shot-classification"> {
  using type = zero_shot_classification;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
