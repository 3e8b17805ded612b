// SPDX-License-Identifier: Apache-2.0
// Generation options from JSON (generation_config.json, request parameters) and from command-line
// text, and their explanation: name, value, where it came from. A name that no option has is an
// option_error with the nearest one in a call, and merely listed for a file, where Hugging Face
// keeps unknown keys too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/generation/config.hpp"
#include "parlance/generation/resolve.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// Sets the option called `name`; null sets it off, or clears it. False when there is none.
PARLANCE_SPLIT_INLINE bool set_option_json(generation_config& config, std::string_view name,
                                           const json& value);

// Options of a call ({"max_new_tokens": 20, ...}): unknown names are errors.
PARLANCE_SPLIT_INLINE generation_config config_from_json(const json& object);

// generation_config.json, or the generation keys of an old config.json. Keys that are no option are
// appended to `ignored`; a broken value is a format_error that names the file.
PARLANCE_SPLIT_INLINE generation_config config_from_file_json(
    const json& object, const std::string& where, std::vector<std::string>* ignored = nullptr);

// Sets an option from command-line text: `20`, `0.7`, `true`, `1,2` (ids), `[[5, 6], [7]]`, `none`.
PARLANCE_SPLIT_INLINE void set_option(generation_config& config, std::string_view name,
                                      const std::string& text);

// The options that are set, as generation_config.json writes them.
PARLANCE_SPLIT_INLINE json to_json(const generation_config& config);

struct explained_option {
  std::string name, value;  // value as JSON
  option_origin origin;
};

// Every option with its final value and its source, in declaration order.
PARLANCE_SPLIT_INLINE std::vector<explained_option> explain(const resolved_config& config);

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/config_json.hpp"
#endif
