// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back, as JSON lines.
#include "common.hpp"
#include "parlance/io/hub_cache.hpp"

using namespace examples;

namespace {

const char* usage =
    "tokenize MODEL_OR_FILE [--decode] < lines\n"
    "  a line: a string, or {\"text\", \"pair\", \"add_special_tokens\", \"truncation\",\n"
    "  \"max_length\", \"stride\", \"padding\"}; with --decode {\"ids\", "
    "\"skip_special_tokens\"}\n";

json encoding_json(const tokenizers::encoding& e) {
  json offsets = json::array(), words = json::array(), sequences = json::array();
  for (const auto& o : e.offsets) offsets.push_back(json::array({o.begin, o.end}));
  for (const auto& w : e.word_ids) words.push_back(w < 0 ? json(nullptr) : json(w));
  for (const auto& s : e.sequence_ids) sequences.push_back(s < 0 ? json(nullptr) : json(s));
  json overflowing = json::array();
  for (const auto& part : e.overflowing) overflowing.push_back(encoding_json(part));
  return {{"ids", e.ids},
          {"tokens", e.tokens},
          {"offsets", std::move(offsets)},
          {"type_ids", e.type_ids},
          {"attention_mask", e.attention_mask},
          {"special_tokens_mask", e.special_tokens_mask},
          {"word_ids", std::move(words)},
          {"sequence_ids", std::move(sequences)},
          {"overflowing", std::move(overflowing)}};
}

tokenizers::encode_options read_options(const tokenizers::tokenizer& tokenizer, const json& line) {
  tokenizers::encode_options o;
  if (!line.is_object()) return o;
  o.add_special_tokens = line.value("add_special_tokens", true);
  if (line.value("truncation", false)) {
    tokenizers::truncation_options t;
    t.max_length = line.at("max_length").get<std::uint32_t>();
    t.stride = line.value("stride", std::uint32_t{0});
    t.side = tokenizer.config().truncation_side;
    o.truncation = t;
  }
  if (line.contains("padding") && line["padding"] != false) {
    tokenizers::padding_options p;
    if (line["padding"] == "max_length") p.length = line.at("max_length").get<std::uint32_t>();
    p.side = tokenizer.config().padding_side;
    if (const auto pad = tokenizer.pad_id()) {
      p.pad_id = *pad;
      p.pad_token = *tokenizer.special_token("pad_token");
    }
    o.padding = p;
  }
  return o;
}

json answer(const tokenizers::tokenizer& t, const json& line, bool decode) {
  if (decode) {
    const json& ids = line.is_array() ? line : line.at("ids");
    const bool skip = line.is_object() && line.value("skip_special_tokens", false);
    return t.decode(ids.get<std::vector<std::int32_t>>(), {.skip_special_tokens = skip});
  }
  if (line.is_object() && line.contains("words"))
    throw unsupported_error("tokenize: pre-split \"words\"", "give the sentence as \"text\"");
  const std::string text = (line.is_string() ? line : line.at("text")).get<std::string>();
  if (line.is_object() && line.contains("pair"))
    return encoding_json(t.encode(text, line["pair"].get<std::string>(), read_options(t, line)));
  return encoding_json(t.encode(text, read_options(t, line)));
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
