// SPDX-License-Identifier: Apache-2.0
// BERTScore (Zhang et al. 2020) as bert_score 0.3.12 computes it over the encoders of
// transformers 4.57: each token's vector finds the most similar one of the other text.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/models/sentence_pooling.hpp"
#include "parlance/pipelines/encoder_parts.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct bertscore_options {
  // Which layer's output is compared, 0 for the embeddings. Not set: what the original found best
  // for well-known models, by their name on the hub.
  std::optional<std::int64_t> num_layers{};
  bool idf = false;         // weighs tokens by how few references have them
  bool all_layers = false;  // scores of every layer
  // (score - b) / (1 - b), with P, R, F of the layer's line of the file (LAYER,P,R,F).
  bool rescale_with_baseline = false;
  std::string baseline_path = {};
  // The tokenizer that the original would take: the slow one puts a space before RoBERTa's texts.
  bool use_fast_tokenizer = false;
  bool operator==(const bertscore_options&) const = default;
};

struct bertscore_result {
  // A list of lines for each layer asked for.
  std::vector<std::vector<double>> precision, recall, f1;
  std::string hashcode;  // what somebody needs to know to get the same score again
  bool all_layers = false;

  metrics::record fields() const {
    const auto lines = [this](const std::vector<std::vector<double>>& layers) {
      return all_layers ? metrics::value(layers) : metrics::value(layers.front());
    };
    return {{"precision", lines(precision)},
            {"recall", lines(recall)},
            {"f1", lines(f1)},
            {"hashcode", hashcode}};
  }
};

namespace detail {

// bert_score/utils.py, model2layers, of the families here.
struct tuned_layer {
  std::string_view model;
  std::int64_t layer;
};
inline constexpr std::array tuned_layers = {
    tuned_layer{"bert-base-uncased", 9},
    tuned_layer{"bert-large-uncased", 18},
    tuned_layer{"bert-base-cased-finetuned-mrpc", 9},
    tuned_layer{"bert-base-multilingual-cased", 9},
    tuned_layer{"bert-base-chinese", 8},
    tuned_layer{"roberta-base", 10},
    tuned_layer{"roberta-large", 17},
    tuned_layer{"roberta-large-mnli", 19},
    tuned_layer{"distilroberta-base", 5},
    tuned_layer{"distilbert-base-uncased", 5},
    tuned_layer{"distilbert-base-uncased-distilled-squad", 4},
    tuned_layer{"distilbert-base-multilingual-cased", 5},
    tuned_layer{"albert-base-v1", 10},
    tuned_layer{"albert-large-v1", 17},
    tuned_layer{"albert-base-v2", 9},
    tuned_layer{"albert-large-v2", 14},
    tuned_layer{"albert-xlarge-v2", 13},
    tuned_layer{"albert-xxlarge-v2", 8},
    tuned_layer{"xlm-roberta-base", 9},
    tuned_layer{"xlm-roberta-large", 17},
    tuned_layer{"electra-small-discriminator", 11},
    tuned_layer{"electra-base-discriminator", 9},
    tuned_layer{"electra-large-discriminator", 14},
    tuned_layer{"deberta-base", 9},
    tuned_layer{"deberta-large", 16},
    tuned_layer{"deberta-base-mnli", 9},
    tuned_layer{"deberta-large-mnli", 18},
    tuned_layer{"deberta-v2-xlarge", 10},
    tuned_layer{"deberta-v2-xlarge-mnli", 17},
    tuned_layer{"deberta-v3-xsmall", 10},
    tuned_layer{"deberta-v3-small", 4},
    tuned_layer{"deberta-v3-base", 9},
    tuned_layer{"deberta-v3-large", 12},
    tuned_layer{"mdeberta-v3-base", 10},
    tuned_layer{"mpnet-base", 8},
    tuned_layer{"scibert_scivocab_uncased", 8},
    tuned_layer{"finbert", 10}};

inline std::int64_t bertscore_layer(const std::string& model, const bertscore_options& o) {
  if (o.num_layers) return *o.num_layers;
  const std::string_view name = std::string_view(model).substr(model.rfind('/') + 1);
  for (const tuned_layer& t : tuned_layers)
    if (t.model == name) return t.layer;
  throw option_error("bertscore: num_layers is not set, and no layer is known to be best for " +
                     model);
}

}  // namespace detail

class bertscore {
 public:
  // Throws option_error for a layer that the model does not have, io_error or format_error for the
  // file of baselines.
  explicit bertscore(const std::string& model_type, bertscore_options o = {},
                     const pipeline_options& load = {})
      : model_type_(model_type),
        options_(std::move(o)),
        layer_(detail::bertscore_layer(model_type, options_)),
        encoder_(load_model(load)) {
    if (options_.rescale_with_baseline) read_baseline();
  }

  static constexpr metrics::description describe() {
    return {
        "bertscore", "f1", "similarity of the vectors that an encoder gives to the words",      -1,
        1,           true, "Zhang et al. 2020, BERTScore: Evaluating Text Generation with BERT"};
  }
  // Of several references the best counts, for precision, recall and F each on its own.
  void add(std::string_view prediction, metrics::texts references) {
    metrics::detail::require_line(prediction, references, static_cast<std::int64_t>(lines_.size()));
    line added{encode(prediction), {}};
    for (std::size_t i = 0; i < references.size(); ++i)
      added.references.push_back(encode(references[i]));
    lines_.push_back(std::move(added));
  }
  void add_batch(const std::vector<std::string>& predictions,
                 const std::vector<std::vector<std::string>>& references) {
    metrics::add_all(*this, predictions, references);
  }
  // Continues where `other`, of the same model, stopped.
  void merge(const bertscore& other) {
    if (!(options_ == other.options_ && model_type_ == other.model_type_))
      throw option_error("merge: the two accumulators have different options");
    lines_.insert(lines_.end(), other.lines_.begin(), other.lines_.end());
  }

  bertscore_result compute() const {
    if (lines_.empty()) throw option_error("bertscore: nothing was added");
    const std::map<std::int32_t, float> weights = token_weights();
    bertscore_result r;
    r.hashcode = hashcode();
    r.all_layers = options_.all_layers;
    for (auto* side : {&r.precision, &r.recall, &r.f1}) side->resize(layers());
    constexpr std::size_t rows_at_once = 4096;
    for (std::size_t begin = 0, end = 0; begin < lines_.size(); begin = end) {
      std::vector<const token_ids*> texts;
      for (std::size_t rows = 0; end < lines_.size() && rows < rows_at_once; ++end) {
        texts.push_back(&lines_[end].prediction);
        for (const token_ids& t : lines_[end].references) texts.push_back(&t);
        rows += lines_[end].prediction.size() * (1 + lines_[end].references.size());
      }
      const std::vector<std::vector<tensor<float>>> vectors = embed(texts);
      for (std::size_t at = 0, i = begin; i < end; at += 1 + lines_[i++].references.size())
        for (std::size_t k = 0; k < layers(); ++k) {
          const std::array<float, 3> scores = best(lines_[i], &vectors[at], k, weights);
          r.precision[k].push_back(scores[0]);
          r.recall[k].push_back(scores[1]);
          r.f1[k].push_back(scores[2]);
        }
    }
    return r;
  }

  // The original's, of the releases that are reproduced here.
  std::string hashcode() const {
    std::string out = model_type_ + "_L" + std::to_string(layer_) +
                      (options_.idf ? "_idf" : "_no-idf") + "_version=0.3.12(hug_trans=4.57.6)";
    if (options_.rescale_with_baseline) out += "-custom-rescaled";
    if (options_.use_fast_tokenizer) out += "_fast-tokenizer";
    return out;
  }

 private:
  using token_ids = std::vector<std::int32_t>;
  struct line {
    token_ids prediction;
    std::vector<token_ids> references;
  };

  std::shared_ptr<const encoder_parts<models::encoder>> load_model(const pipeline_options& load) {
    auto parts = std::make_shared<encoder_parts<models::encoder>>(
        load_encoder_parts(model_type_, load, "feature-extraction", &models::load_encoder));
    const json& config = parts->model->config();
    depth_ = models::config_reader(config).size(config.contains("n_layers") ? "n_layers"
                                                                            : "num_hidden_layers");
    if (layer_ < 0 || layer_ > depth_)
      throw option_error("bertscore: num_layers: expected 0 to " + std::to_string(depth_) +
                         ", got " + std::to_string(layer_));
    const std::string& name = parts->tokenizer->config().tokenizer_class;
    const std::string type = config.value("model_type", "");
    space_before_ = !options_.use_fast_tokenizer &&
                    (name.empty() ? type == "roberta" : name.starts_with("Roberta"));
    return parts;
  }
  // Asked for.
  std::size_t layers() const {
    return options_.all_layers ? static_cast<std::size_t>(depth_) + 1 : 1;
  }

  token_ids encode(std::string_view text) const {
    std::string stripped(metrics::strip(text));
    if (space_before_ && !stripped.empty()) stripped.insert(0, 1, ' ');
    return encoder_->encode(stripped, {.truncation = true}).ids;
  }

  // The vectors of each text, of length one, a tensor (tokens, hidden) for each layer asked for.
  std::vector<std::vector<tensor<float>>> embed(const std::vector<const token_ids*>& texts) const {
    std::vector<std::vector<tensor<float>>> out(texts.size());
    token_ids all;
    std::vector<std::int64_t> lengths;
    for (const token_ids* t : texts) {
      all.insert(all.end(), t->begin(), t->end());
      lengths.push_back(static_cast<std::int64_t>(t->size()));
    }
    const auto keep = [&](const tensor<float>& rows) {
      std::int64_t at = 0;
      for (std::size_t i = 0; i < out.size(); at += lengths[i++]) {
        tensor<float> own({lengths[i], rows.cols()});
        std::copy_n(rows.row(at), own.size(), own.data());
        models::normalize_rows(own);
        out[i].push_back(std::move(own));
      }
    };
    const autograd::no_grad off;
    models::encoder_input in;
    in.ids = all;
    in.lengths = lengths;
    in.observe = [&](int depth, const void* rows) {
      // What follows the last layer belongs to it, so that one comes from the model itself.
      if (depth < depth_ && (options_.all_layers || depth == layer_))
        keep(*static_cast<const tensor<float>*>(rows));
    };
    const tensor<float> hidden = encoder_->model->hidden(in);
    if (options_.all_layers || layer_ == depth_) keep(hidden);
    return out;
  }

  // Of tokens that the references have; the others weigh what -1 weighs.
  std::map<std::int32_t, float> token_weights() const {
    std::map<std::int32_t, float> weights;
    if (!options_.idf) {
      weights[-1] = 1;
      for (const char* special : {"sep_token", "cls_token"})
        if (const auto id = encoder_->tokenizer->special_id(special)) weights[*id] = 0;
      return weights;
    }
    double documents = 0;
    std::map<std::int32_t, double> having;
    for (const line& l : lines_)
      for (const token_ids& r : l.references) {
        ++documents;
        for (const std::int32_t id : std::set<std::int32_t>(r.begin(), r.end())) ++having[id];
      }
    weights[-1] = static_cast<float>(std::log(documents + 1));
    for (const auto& [id, count] : having)
      weights[id] = static_cast<float>(std::log((documents + 1) / (count + 1)));
    return weights;
  }

  // Of one line at layer k, given the vectors of its prediction and of its references.
  std::array<float, 3> best(const line& l, const std::vector<tensor<float>>* vectors, std::size_t k,
                            const std::map<std::int32_t, float>& weights) const {
    std::array<float, 3> out{};
    for (std::size_t i = 0; i < l.references.size(); ++i) {
      const std::array<float, 3> scores =
          match(l.prediction, vectors[0][k], l.references[i], vectors[i + 1][k], weights);
      for (std::size_t s = 0; s < 3; ++s)  // not-a-number stays, as in the original
        if (i == 0 || std::isnan(scores[s]) || scores[s] > out[s]) out[s] = scores[s];
    }
    if (!options_.rescale_with_baseline) return out;
    for (std::size_t s = 0; s < 3; ++s)
      out[s] = (out[s] - baselines_[k][s]) / (1 - baselines_[k][s]);
    return out;
  }
  // Precision, recall and F of one pair. A text of special tokens alone scores nothing.
  static std::array<float, 3> match(const token_ids& prediction, const tensor<float>& candidate,
                                    const token_ids& text, const tensor<float>& reference,
                                    const std::map<std::int32_t, float>& weights) {
    const std::int64_t n = candidate.rows(), m = reference.rows(), width = candidate.cols();
    std::vector<float> to_reference(static_cast<std::size_t>(n), -2.0f),
        to_candidate(static_cast<std::size_t>(m), -2.0f);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < m; ++j) {
        const float* const a = candidate.row(i);
        const float* const b = reference.row(j);
        double sum = 0;
        for (std::int64_t k = 0; k < width; ++k) sum += static_cast<double>(a[k]) * b[k];
        const auto similarity = static_cast<float>(sum);
        float& p = to_reference[static_cast<std::size_t>(i)];
        float& r = to_candidate[static_cast<std::size_t>(j)];
        p = std::max(p, similarity);
        r = std::max(r, similarity);
      }
    const auto mean = [&](const std::vector<float>& best, const token_ids& of) {
      float total = 0, sum = 0;
      std::vector<float> own;
      for (const std::int32_t id : of) {
        const auto found = weights.find(id);
        own.push_back(found == weights.end() ? weights.at(-1) : found->second);
        total += own.back();
      }
      for (std::size_t i = 0; i < best.size(); ++i) sum += best[i] * (own[i] / total);
      return sum;
    };
    const float p = mean(to_reference, prediction), r = mean(to_candidate, text);
    const float f = 2 * p * r / (p + r);
    if (n == 2 || m == 2) return {0, 0, std::isnan(f) ? 0 : f};
    return {p, r, std::isnan(f) ? 0 : f};
  }

  void read_baseline() {
    if (options_.baseline_path.empty())
      throw option_error("bertscore: rescale_with_baseline needs baseline_path");
    const std::string& path = options_.baseline_path;
    const std::string text = read_text(path);
    std::vector<std::array<float, 3>> all;
    for (std::size_t at = text.find('\n'); at != text.npos && at + 1 < text.size();) {
      const std::size_t begin = at + 1, end = std::min(text.find('\n', begin), text.size());
      all.push_back(baseline(std::string_view(text).substr(begin, end - begin), path, begin));
      at = end < text.size() ? end : text.npos;
    }
    const auto needed = static_cast<std::size_t>(layer_);
    if (options_.all_layers ? all.size() != layers() : all.size() <= needed)
      throw format_error(path, -1,
                         "baselines of " + std::to_string(all.size()) + " layers, too few or many");
    if (options_.all_layers)
      baselines_ = all;
    else
      baselines_ = {all[needed]};
  }
  // LAYER,P,R,F
  static std::array<float, 3> baseline(std::string_view row, const std::string& path,
                                       std::size_t place) {
    std::array<float, 3> out{};
    const char *at = row.data(), *const end = at + row.size();
    double number = 0;
    for (std::size_t column = 0; column < 4; ++column) {
      const auto parsed = std::from_chars(at, end, number);
      const bool more = column < 3;
      if (parsed.ec != std::errc() || (more && (parsed.ptr == end || *parsed.ptr != ',')))
        throw format_error(path, static_cast<std::int64_t>(place), "expected LAYER,P,R,F");
      if (column > 0) out[column - 1] = static_cast<float>(number);
      at = parsed.ptr + more;
    }
    return out;
  }

  std::string model_type_;
  bertscore_options options_;
  std::int64_t layer_, depth_ = 0;  // of the model's layers
  bool space_before_ = false;
  std::shared_ptr<const encoder_parts<models::encoder>> encoder_;
  std::vector<std::array<float, 3>> baselines_;  // one for each layer asked for
  std::vector<line> lines_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
