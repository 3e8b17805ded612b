// SPDX-License-Identifier: Apache-2.0
// Feature extraction: the last hidden states of a text, as transformers 4.57's
// FeatureExtractionPipeline, or one vector a text with `pooling`. For sentence-transformers folders
// see models/sentence_encoder.hpp.
#pragma once

#include "parlance/models/sentence_pooling.hpp"
#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct feature_extraction_options {
  std::optional<models::pooling> pooling{};
  bool normalize = false;  // vectors of length one; with pooling only
  encoder_text_options tokenizer_kwargs{};
};

class feature_extraction {
 public:
  using options = feature_extraction_options;

  explicit feature_extraction(const std::string& model, const pipeline_options& o = {})
      : parts_(load_encoder_parts(model, o, "feature-extraction", &models::load_encoder)) {}
  explicit feature_extraction(encoder_parts<models::encoder> parts) : parts_(std::move(parts)) {}

  // (tokens, hidden_size), special tokens included; with pooling (1, hidden_size).
  tensor<float> operator()(const std::string& text, const options& o = {}) const {
    return std::move((*this)(std::vector{text}, o).front());
  }
  std::vector<tensor<float>> operator()(const std::vector<std::string>& texts,
                                        const options& o = {}) const {
    std::vector<tokenizers::encoding> all;
    for (const std::string& text : texts) all.push_back(parts_.encode(text, o.tokenizer_kwargs));
    std::vector<tensor<float>> out;
    parts_.forward(all, [&](std::size_t, const models::encoder_input& in) {
      const tensor<float> hidden = parts_.model->hidden(in);
      std::int64_t at = 0;
      for (const std::int64_t n : in.lengths) {
        out.push_back(take(hidden, at, n, o));
        at += n;
      }
    });
    return out;
  }
  const models::encoder& model() const { return *parts_.model; }

 private:
  static tensor<float> take(const tensor<float>& hidden, std::int64_t at, std::int64_t n,
                            const options& o) {
    tensor<float> out({o.pooling ? 1 : n, hidden.cols()});
    if (!o.pooling) {
      std::copy_n(hidden.row(at), out.size(), out.data());
      return out;
    }
    models::pool_rows(hidden, at, at + n, 0, *o.pooling, out.data());
    if (o.normalize) models::normalize_rows(out);
    return out;
  }

  encoder_parts<models::encoder> parts_;
};

template <>
struct pipeline_for<"feature-extraction"> {
  using type = feature_extraction;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
