// SPDX-License-Identifier: Apache-2.0
// Any pipeline over JSON lines.
#include "common.hpp"
#include "parlance/pipelines/auto.hpp"

using namespace examples;

namespace {

const char* usage =
    "pipeline TASK MODEL < lines\n"
    "  TASK  text-generation, text-classification, token-classification, question-answering,\n"
    "        fill-mask, zero-shot-classification, feature-extraction, sentence-similarity, rerank\n"
    "        summarization, translation, translation_xx_to_yy, text2text-generation\n"
    "  a line: {\"inputs\": ..., \"parameters\": {...}}, or a bare string\n"
    "  --threads N  --weights FORMAT  --precision auto|exact|native  --cache DIR  --seed N\n";

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {with_model({"seed"}), {"progress", "verbose"}, false},
             [](const arguments& args) {
               const auto pipe = make_pipeline(args.required(0, "TASK"), args.required(1, "MODEL"),
                                               args.model_options());
               for_each_json_line([&](json line) {
                 if (args.has("seed")) {
                   if (line.is_string()) line = {{"inputs", line}};
                   if (!line["parameters"].contains("seed"))
                     line["parameters"]["seed"] = args.integer("seed", 0);
                 }
                 return (*pipe)(line);
               });
             });
}
