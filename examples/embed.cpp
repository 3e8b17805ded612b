// SPDX-License-Identifier: Apache-2.0
// Texts to vectors, as JSON lines.
#include "common.hpp"
#include "parlance/models/sentence_encoder.hpp"

using namespace examples;

namespace {

const char* usage =
    "embed MODEL < lines\n"
    "  a line: a string or a list of strings; prints an array with one vector a string\n"
    "  MODEL: a sentence-transformers folder, an encoder or a decoder\n"
    "  --pooling cls|mean|max|mean_sqrt_len|weightedmean|lasttoken  --normalize true|false\n"
    "  --max_seq_length N  --prompt_name NAME  --prompt TEXT\n"
    "  --threads N  --weights FORMAT  --cache DIR\n";

json embed(const models::sentence_encoder& model, const json& line,
           const models::embed_options& options) {
  std::vector<std::string> texts;
  if (line.is_string())
    texts.push_back(line.get<std::string>());
  else
    texts = line.get<std::vector<std::string>>();
  const tensor<float> vectors = model.encode(texts, options);
  json out = json::array();
  for (std::int64_t i = 0; i < vectors.rows(); ++i)
    out.push_back(std::vector<float>(vectors.row(i), vectors.row(i) + vectors.cols()));
  return out;
}

void program(const arguments& args) {
  const pipelines::pipeline_options given = args.model_options();
  models::sentence_options options;
  options.weights = given.weights;
  options.compute = given.compute;
  if (args.has("pooling")) options.pooling = models::parse_pooling(args.text("pooling"));
  if (args.has("normalize")) options.normalize = args.text("normalize") == "true";
  if (args.has("max_seq_length")) options.max_seq_length = args.integer("max_seq_length", 0);
  const auto model =
      models::sentence_encoder::from_pretrained(args.required(0, "MODEL"), options, given.cache);
  models::embed_options call;
  call.prompt_name = args.text("prompt_name");
  call.prompt = args.text("prompt");
  for_each_json_line([&](const json& line) { return embed(model, line, call); });
}

}  // namespace

int main(int argc, char** argv) {
  return run(
      argc, argv, usage,
      {with_model({"pooling", "normalize", "max_seq_length", "prompt_name", "prompt"}), {}, false},
      program);
}
