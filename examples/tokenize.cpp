// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back, as JSON lines.
#include "common.hpp"
#include "parlance/io/hub_cache.hpp"

using namespace examples;

namespace {

const char* usage =
    "tokenize MODEL_OR_FILE [--decode] < lines\n"
    "  a line: a string, or {\"text\" or \"words\" (pre-split), \"pair\" (of the same kind),\n"
    "  \"add_special_tokens\", \"truncation\" (true or a strategy), \"max_length\", \"stride\",\n"
    "  \"padding\" (true, \"longest\" or \"max_length\")}; with --decode ids, or {\"ids\",\n"
    "  \"skip_special_tokens\"}\n";

using words = std::vector<std::string>;

json encoding_json(const tokenizers::encoding& e) {
  json offsets = json::array(), words = json::array(), sequences = json::array();
  for (const auto& o : e.offsets) offsets.push_back(json::array({o.begin, o.end}));
  for (const auto& w : e.word_ids) words.push_back(w < 0 ? json(nullptr) : json(w));
  for (const auto& s : e.sequence_ids) sequences.push_back(s < 0 ? json(nullptr) : json(s));
  json overflowing = json::array();
  for (const auto& part : e.overflowing) overflowing.push_back(encoding_json(part));
  return {{"ids", e.ids},
          {"tokens", e.tokens.to_vector()},
          {"offsets", std::move(offsets)},
          {"type_ids", e.type_ids},
          {"attention_mask", e.attention_mask},
          {"special_tokens_mask", e.special_tokens_mask},
          {"word_ids", std::move(words)},
          {"sequence_ids", std::move(sequences)},
          {"overflowing", std::move(overflowing)}};
}

// A field that is a flag or the name of a strategy: empty when it is off or absent.
std::string strategy_of(const json& line, const char* name, const char* when_true,
                        std::initializer_list<std::string_view> known) {
  const json value = line.value(name, json(false));
  std::string chosen;
  if (value.is_string())
    chosen = value.get<std::string>();
  else if (!value.is_null() && value.get<bool>())
    chosen = when_true;
  if (!chosen.empty() && std::find(known.begin(), known.end(), chosen) == known.end())
    throw option_error(std::string(name) + " '" + chosen + "'", did_you_mean(chosen, known));
  return chosen.starts_with("do_not") ? std::string() : chosen;
}

std::optional<std::uint32_t> length_of(const tokenizers::tokenizer& tokenizer, const json& line) {
  if (line.contains("max_length")) return line["max_length"].get<std::uint32_t>();
  const std::int64_t longest = tokenizer.config().model_max_length;
  return longest > 0 && longest < 0x7FFFFFFF ? std::optional(static_cast<std::uint32_t>(longest))
                                             : std::nullopt;
}

tokenizers::encode_options read_options(const tokenizers::tokenizer& tokenizer, const json& line) {
  using tokenizers::truncation_strategy;
  tokenizers::encode_options o;
  if (!line.is_object()) return o;
  o.add_special_tokens = line.value("add_special_tokens", true);
  const auto length = length_of(tokenizer, line);
  const std::string padding =
      strategy_of(line, "padding", "longest", {"longest", "max_length", "do_not_pad"});
  std::string truncation =
      strategy_of(line, "truncation", "longest_first",
                  {"longest_first", "only_first", "only_second", "do_not_truncate"});
  // transformers takes a lone max_length for a wish to truncate.
  if (padding.empty() && !line.contains("truncation") && line.contains("max_length"))
    truncation = "longest_first";
  if (!truncation.empty() && length) {
    o.truncation = tokenizers::truncation_options{
        *length, line.value("stride", std::uint32_t{0}),
        truncation == "only_first"    ? truncation_strategy::only_first
        : truncation == "only_second" ? truncation_strategy::only_second
                                      : truncation_strategy::longest_first,
        tokenizer.config().truncation_side};
  }
  if (!padding.empty()) {
    if (!tokenizer.pad_id() && !tokenizer.file_padding())
      throw option_error("padding: the tokenizer has no padding token",
                         "tokenizer_config.json names it as \"pad_token\"");
    auto p = tokenizer.file_padding().value_or(tokenizers::padding_options());
    p.length = padding == "max_length" ? length : std::nullopt;
    p.side = tokenizer.config().padding_side;
    if (const auto pad = tokenizer.pad_id()) {
      p.pad_id = *pad;
      p.pad_token = *tokenizer.special_token("pad_token");
    }
    o.padding = p;
  }
  return o;
}

json encode_line(const tokenizers::tokenizer& t, const json& line) {
  const tokenizers::encode_options o = read_options(t, line);
  if (line.is_string()) return encoding_json(t.encode(line.get<std::string>(), o));
  const bool pair = line.contains("pair") && !line["pair"].is_null();
  if (line.contains("words")) {
    if (line.contains("text")) throw option_error("both \"text\" and \"words\"");
    const auto first = line["words"].get<words>();
    return encoding_json(pair ? t.encode(first, line["pair"].get<words>(), o) : t.encode(first, o));
  }
  const auto first = line.at("text").get<std::string>();
  return encoding_json(pair ? t.encode(first, line["pair"].get<std::string>(), o)
                            : t.encode(first, o));
}

json answer(const tokenizers::tokenizer& t, const json& line, bool decode) {
  if (decode) {
    const json& ids = line.is_array() ? line : line.at("ids");
    const bool skip = line.is_object() && line.value("skip_special_tokens", false);
    return t.decode(ids.get<std::vector<std::int32_t>>(), {.skip_special_tokens = skip});
  }
  return encode_line(t, line);
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {{"cache"}, {"decode"}, false}, [](const arguments& args) {
    const std::filesystem::path given = args.required(0, "MODEL_OR_FILE");
    const auto t = pipelines::load_tokenizer(
        given.extension() == ".json" ? given
                                     : io::resolve_model(given.string(), args.text("cache")));
    for_each_json_line([&](const json& line) { return answer(*t, line, args.has("decode")); });
  });
}
