// SPDX-License-Identifier: Apache-2.0
// Chooses the encoder family by the model_type of config.json and loads it for a task. The table is
// explicit; users add rows of their own to a copy of it. Only this header pays for all families.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "parlance/models/auto.hpp"
#include "parlance/models/encoder_config.hpp"
#include "parlance/models/encoder_tasks.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// What a family makes of its config.json. `class_name`: as transformers names its classes.
struct encoder_family {
  std::string class_name;
  std::function<encoder_config(const json&)> read;
  std::function<std::unique_ptr<encoder>(const json&, bool with_pooler)> make_encoder;
  std::function<std::unique_ptr<masked_lm>(const json&)> make_masked_lm;
  std::function<std::unique_ptr<sequence_classifier>(const json&)> make_sequence_classifier;
  std::function<std::unique_ptr<token_classifier>(const json&)> make_token_classifier;
  std::function<std::unique_ptr<question_answerer>(const json&)> make_question_answerer;
  std::function<std::unique_ptr<multiple_choice>(const json&)> make_multiple_choice;
};
// model_type -> family
using encoder_registry = std::map<std::string, encoder_family, std::less<>>;

PARLANCE_SPLIT_INLINE const encoder_registry& encoder_families();

struct encoder_load_options : io::load_options {
  // What the checkpoint lacks of the head is made anew rather than being a load_error.
  bool fresh_head = false;
  std::uint64_t seed = 0;
};

// Each loads an opened checkpoint for its task. Tensor names may carry the family's prefix or not,
// as transformers takes them; tensors of other heads are left alone.
PARLANCE_SPLIT_INLINE std::unique_ptr<encoder> load_encoder(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());
PARLANCE_SPLIT_INLINE std::unique_ptr<masked_lm> load_masked_lm(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());
PARLANCE_SPLIT_INLINE std::unique_ptr<sequence_classifier> load_sequence_classifier(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());
PARLANCE_SPLIT_INLINE std::unique_ptr<token_classifier> load_token_classifier(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());
PARLANCE_SPLIT_INLINE std::unique_ptr<question_answerer> load_question_answerer(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());
PARLANCE_SPLIT_INLINE std::unique_ptr<multiple_choice> load_multiple_choice(
    const opened_checkpoint& from, const encoder_load_options& options = {},
    const encoder_registry& families = encoder_families());

}  // namespace parlance::inline PARLANCE_ABI::models

#if PARLANCE_BODIES
#include "parlance/models/impl/auto_encoder.hpp"
#endif
