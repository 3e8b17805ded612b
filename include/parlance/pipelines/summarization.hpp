// SPDX-License-Identifier: Apache-2.0
// Summaries by an encoder-decoder; long_input summarizes what the model cannot take at once.
#pragma once

#include "parlance/pipelines/text2text.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct summarization_output {
  std::string summary_text;
  std::vector<std::int32_t> ids;  // without the start that the decoder is given
  generation::finish_reason finish_reason = generation::finish_reason::none;
  float score = 0;  // of beams
};

class summarization : public text2text_pipeline<summarization_output> {
 public:
  explicit summarization(const std::string& model, const pipeline_options& o = {})
      : text2text_pipeline(text2text(model, "summarization", o)) {}
};

template <>
struct pipeline_for<"summarization"> {
  using type = summarization;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
