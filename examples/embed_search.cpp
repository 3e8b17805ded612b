// SPDX-License-Identifier: Apache-2.0
// Semantic search: the lines of a text file that mean the same as a query.
#include <algorithm>
#include <fstream>
#include <numeric>

#include "common.hpp"
#include "parlance/models/sentence_encoder.hpp"

using namespace examples;

namespace {

const char* usage =
    "embed_search MODEL FILE [--top N] [--threads N] [--weights FORMAT] [--cache DIR] < queries\n"
    "  embeds the lines of FILE once, then prints the nearest ones to each line of input\n";

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw io_error(file + ": cannot be read");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (line.find_first_not_of(" \t\r") != line.npos) lines.push_back(line);
  return lines;
}

void program(const arguments& args) {
  const pipelines::pipeline_options given = args.model_options();
  models::sentence_options options;
  options.weights = given.weights;
  options.compute = given.compute;
  options.normalize = true;
  const auto model =
      models::sentence_encoder::from_pretrained(args.required(0, "MODEL"), options, given.cache);
  const std::vector<std::string> lines = lines_of(args.required(1, "FILE"));
  const tensor<float> known = model.encode(lines);
  for (std::string query; std::getline(std::cin, query);) {
    const tensor<float> wanted = model.encode({&query, 1});
    std::vector<double> score;
    for (std::int64_t i = 0; i < known.rows(); ++i)
      score.push_back(models::cosine_similarity(known.row(i), wanted.data(), known.cols()));
    std::vector<std::size_t> order(lines.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return score[a] > score[b]; });
    const auto top = static_cast<std::size_t>(std::max(1L, args.integer("top", 3)));
    for (std::size_t i = 0; i < std::min(top, order.size()); ++i)
      std::printf("%.4f  %s\n", score[order[i]], lines[order[i]].c_str());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage, {with_model({"top"}), {}, false}, program);
}
