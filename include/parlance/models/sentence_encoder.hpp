// SPDX-License-Identifier: Apache-2.0
// Texts to vectors: sentence-transformers folders (modules.json), plain encoder folders with a
// pooling of one's choice, and decoders that embed by their last token. Source:
// sentence-transformers 5.7.
//   auto embed = models::sentence_encoder::from_pretrained("all-MiniLM-L6-v2");
//   tensor<float> vectors = embed.encode(texts);  // (texts, dimension)
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parlance/models/auto_encoder.hpp"
#include "parlance/models/sentence_pooling.hpp"
#include "parlance/nn/layers.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct sentence_options : io::load_options {
  // Not set: what the folder's modules say; without modules mean, for decoders lasttoken.
  std::optional<models::pooling> pooling;
  std::optional<bool> normalize;
  std::optional<std::int64_t> max_seq_length;  // longer texts are cut
};

struct embed_options {
  std::string prompt_name, prompt;   // text put in front: by name from the folder, or itself
  std::int64_t rows_at_once = 4096;  // tokens of a forward pass, if a single text is not longer
  std::stop_token stop;
};

class sentence_encoder {
 public:
  // `name`: a folder or org/name in the hub cache folder given.
  static sentence_encoder from_pretrained(const std::string& name,
                                          const sentence_options& options = {},
                                          const std::filesystem::path& cache = {});

  // (texts, dimension); each vector is the same whatever it is batched with. option_error for a text
  // without tokens (only tokenizers that add no special ones make that of an empty text).
  tensor<float> encode(std::span<const std::string> texts, const embed_options& options = {}) const;

  std::int64_t dimension() const { return dimension_; }
  std::int64_t max_seq_length() const { return max_seq_length_; }
  const tokenizers::tokenizer& tokenizer() const { return *tokenizer_; }
  // What the folder's modules are, in order, e.g. "Transformer", "Pooling", "Normalize".
  const std::vector<std::string>& modules() const { return modules_; }

 private:
  struct dense_layer {
    nn::linear<float> linear;
    std::string act;  // empty: none
    void visit(nn::visitor<float>& v) { v("linear", linear); }
  };
  void read_modules(const std::filesystem::path& folder, const sentence_options& options);
  void read_pooling(const std::filesystem::path& file);
  void read_dense(const std::filesystem::path& folder, const sentence_options& options);
  void load_transformer(const std::filesystem::path& folder, const sentence_options& options);
  tensor<float> hidden(const encoder_input& in) const;
  tensor<float> pooled(const encoder_input& in, std::int64_t skip) const;
  std::string prompt_of(const embed_options& options) const;
  std::int64_t prompt_rows(const std::string& prompt) const;

  std::unique_ptr<encoder> encoder_;
  std::unique_ptr<causal_lm> decoder_;
  std::shared_ptr<const tokenizers::tokenizer> tokenizer_;
  std::vector<models::pooling> poolings_;
  std::vector<dense_layer> dense_;
  std::vector<std::string> modules_;
  std::map<std::string, std::string> prompts_;
  std::string default_prompt_;
  bool normalize_ = false, include_prompt_ = true;
  std::int64_t max_seq_length_ = 0, dimension_ = 0;
};

struct ranked {
  std::size_t index = 0;  // of the document
  float score = 0;
};

// A classifier that reads two texts at once, to rank documents against a query.
class cross_encoder {
 public:
  static cross_encoder from_pretrained(const std::string& name,
                                       const io::load_options& options = {},
                                       const std::filesystem::path& cache = {});

  // (pairs, labels), after the activation that the folder names: a sigmoid for one label.
  tensor<float> predict(std::span<const std::pair<std::string, std::string>> pairs,
                        const embed_options& options = {}) const;
  // All documents, the best first; equal scores in the order given.
  std::vector<ranked> rank(const std::string& query, std::span<const std::string> documents,
                           const embed_options& options = {}) const;

 private:
  std::unique_ptr<sequence_classifier> model_;
  std::shared_ptr<const tokenizers::tokenizer> tokenizer_;
  std::int64_t max_length_ = 0;
  std::string act_;
};

}  // namespace parlance::inline PARLANCE_ABI::models

#if PARLANCE_BODIES
#include "parlance/models/impl/sentence_encoder.hpp"
#endif
