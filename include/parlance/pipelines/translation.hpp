// SPDX-License-Identifier: Apache-2.0
// Translation by an encoder-decoder; the task translation_xx_to_yy, or src_lang and tgt_lang, say
// the languages to models that know several.
#pragma once

#include "parlance/pipelines/text2text.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct translation_output {
  std::string translation_text;
  std::vector<std::int32_t> ids;  // without the start that the decoder is given
  generation::finish_reason finish_reason = generation::finish_reason::none;
  float score = 0;  // of beams
};

class translation : public text2text_pipeline<translation_output> {
 public:
  explicit translation(const std::string& model, const pipeline_options& o = {},
                       std::string task = "translation")
      : text2text_pipeline(text2text(model, std::move(task), o)) {}
};

template <>
struct pipeline_for<"translation"> {
  using type = translation;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
