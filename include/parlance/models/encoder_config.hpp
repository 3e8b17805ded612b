// SPDX-License-Identifier: Apache-2.0
// What the encoders of all families have in common: sizes, and what their heads are called and
// made of. Which tensor names a head has is data here, so one head serves every family.
#pragma once

#include <string>
#include <vector>

#include "parlance/models/config.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// dense -> activation -> norm -> output; empty names: that part does not exist.
struct head_layout {
  std::string dense, act, norm, out;
  bool dense_bias = true, norm_bias = true;
  bool mean = false;  // of a sequence: the mean of its rows rather than its first row
};

struct encoder_config {
  std::string prefix;  // of the backbone's tensors beside a head
  std::int64_t vocab_size = 0, hidden_size = 0, embedding_size = 0, max_positions = 0;
  double norm_eps = 1e-12;
  bool tie_word_embeddings = true;
  std::vector<std::string> labels;

  head_layout sequence, token{"", "", "", "classifier"}, question{"", "", "", "qa_outputs"};
  head_layout choice;  // multiple choice: as for sequences, with one output
  head_layout pooler;  // of the bare model, without output
  head_layout masked;  // `out`: the projection to the vocabulary, tied to the embeddings
  std::string masked_bias;
};

// id2label in the order of the ids; num_labels names of transformers' kind when it is absent.
inline std::vector<std::string> read_labels(const config_reader& c) {
  std::vector<std::string> labels;
  const auto map = c.object("id2label");
  const std::int64_t count =
      map ? static_cast<std::int64_t>(map->keys().size()) : c.size("num_labels", 2);
  if (count > 1000000) c.fail("num_labels", "fewer labels");
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string id = std::to_string(i);
    labels.push_back(map ? map->text(id.c_str(), "LABEL_" + id) : "LABEL_" + id);
  }
  return labels;
}

}  // namespace parlance::inline PARLANCE_ABI::models
