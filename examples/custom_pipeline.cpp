// SPDX-License-Identifier: Apache-2.0
// A pipeline of one's own is three functions: how surprising is a text to a language model?
#include <cmath>

#include "common.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/pipelines/pipeline.hpp"

using namespace examples;

struct surprise : pipelines::pipeline_base<surprise, std::string, double> {
  explicit surprise(const std::string& model) : lm(pipelines::load_language_model(model)) {}

  std::vector<std::int32_t> preprocess(const std::string& text) const {
    return lm.tokenizer->encode_ids(text);
  }
  double forward(const std::vector<std::int32_t>& ids) const {
    const autograd::no_grad off;
    std::vector<std::int32_t> labels(ids.begin() + 1, ids.end());
    labels.push_back(ops::ignore_index);
    models::decoder_input in;
    in.ids = ids;
    return lm.model->loss(in, labels).item();
  }
  double postprocess(double nats) const { return nats / std::log(2.0); }

  pipelines::language_model lm;
};

int main(int argc, char** argv) {
  return run(argc, argv, "custom_pipeline MODEL < lines of text\n", {}, [](const arguments& args) {
    surprise bits(args.required(0, "MODEL"));
    for (std::string line; std::getline(std::cin, line);)
      if (!line.empty()) std::printf("%.3f bits a token: %s\n", bits(line), line.c_str());
  });
}
