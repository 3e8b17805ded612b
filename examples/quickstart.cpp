// SPDX-License-Identifier: Apache-2.0
// One answer, streamed, and how fast it came: tokens a second, and the share of the machine's
// memory bandwidth that reading the weights once a token takes.
#include "../benchmarks/bench.hpp"
#include "common.hpp"
#include "parlance/pipelines/text_generation.hpp"

using namespace examples;

namespace {

// Weights read for each token: all but the embedding table, of which one row is read, unless the
// output projection is tied to it.
std::uint64_t bytes_a_token(models::causal_lm& model) {
  std::uint64_t total = 0, table = 0;
  bool head = false;
  nn::for_each_parameter<float>(model, [&](const std::string& name, nn::parameter<float>& p) {
    total += p.value.bytes();
    if (name.ends_with("embed_tokens.weight") || name.ends_with("wte.weight"))
      table = p.value.bytes();
    head = head || name == "lm_head.weight";
  });
  return head ? total - table : total;
}

void program(const arguments& args) {
  const std::string prompt = args.required(1, "PROMPT");
  pipelines::language_model parts =
      pipelines::load_language_model(args.required(0, "MODEL"), args.model_options());
  const auto bytes = static_cast<double>(bytes_a_token(*parts.model));
  pipelines::text_generation pipe(std::move(parts));

  generation::generation_config call = args.generation_options();
  if (!call.max_new_tokens) call.max_new_tokens = 120;
  if (!call.do_sample) call.do_sample = false;
  call.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  generation::timing timing;
  pipelines::text_generation_options options;
  options.return_full_text = false;
  options.timing = &timing;
  std::cout << "\n> " << prompt << "\n\n";
  if (pipe.has_chat_template())
    pipe.chat(json::array({{{"role", "user"}, {"content", prompt}}}), call, options);
  else
    pipe(prompt, call, options);

  const double peak = peak_megabytes();  // before the read test takes its own
  const double limit = bench::read_bandwidth(num_threads()),
               used = bytes * timing.decode_tokens_per_second();
  std::printf("\n\nprompt %.0f tokens/s, answer %.1f tokens/s on %d threads; %.0f MB peak\n",
              timing.prompt_tokens_per_second(), timing.decode_tokens_per_second(), num_threads(),
              peak);
  std::printf(
      "weights read at %.1f GB/s, %.0f %% of the %.1f GB/s that this machine reads from memory\n",
      used / 1e9, 100 * used / limit, limit / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, "quickstart MODEL PROMPT [options of generate]\n",
             {with_model({}), {}, true}, program);
}
