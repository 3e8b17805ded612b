// SPDX-License-Identifier: Apache-2.0
// Text to text by an encoder-decoder; see text2text.hpp.
#pragma once

#include "parlance/pipelines/text2text.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct text2text_generation_output {
  std::string generated_text;
  std::vector<std::int32_t> ids;  // without the start that the decoder is given
  generation::finish_reason finish_reason = generation::finish_reason::none;
  float score = 0;  // of beams
};

class text2text_generation : public text2text_pipeline<text2text_generation_output> {
 public:
  explicit text2text_generation(const std::string& model, const pipeline_options& o = {})
      : text2text_pipeline(text2text(model, "text2text-generation", o)) {}
};

template <>
struct pipeline_for<"text2text-generation"> {
  using type = text2text_generation;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
