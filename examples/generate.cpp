// SPDX-License-Identifier: Apache-2.0
// Continues a prompt, streamed; or many prompts as JSON lines.
#include <chrono>

#include "common.hpp"
#include "parlance/pipelines/text_generation.hpp"

using namespace examples;

namespace {

const char* usage =
    "generate MODEL --prompt TEXT [--chat] [--json] [--batch] [options]\n"
    "  MODEL        a Hugging Face folder, a .gguf file, or org/name with --cache DIR\n"
    "  --batch      prompts are JSON strings on standard input, one a line\n"
    "  --chat       each prompt is a user's message through the chat template\n"
    "  --json       one object a prompt: prompt_ids, ids, text, finish_reason, logprobs, timing\n"
    "  --threads N  --weights auto|f32|bf16|f16|q8_0|q4_0|q4_k  --precision auto|exact|native\n"
    "  --verbose    speed on standard error\n"
    "  and every option of generation_config: --max_new_tokens 20 --do_sample true --seed 1 ...\n";

json to_json(const pipelines::text_generation_output& out, const generation::timing& t,
             double load_seconds) {
  json o = {{"prompt_ids", out.prompt_ids},
            {"ids", out.ids},
            {"text", out.generated_text},
            {"finish_reason", generation::to_string(out.finish_reason)}};
  if (!out.logprobs.empty()) {
    json list = json::array();
    for (const auto& step : out.logprobs) {
      json top = json::array();
      for (const auto& alternative : step.top) top.push_back({alternative.id, alternative.logprob});
      list.push_back({{"id", step.chosen.id}, {"logprob", step.chosen.logprob}, {"top", top}});
    }
    o["logprobs"] = std::move(list);
  }
  o["timing"] = {{"load_s", load_seconds},
                 {"prompt_tokens_per_s", t.prompt_tokens_per_second()},
                 {"decode_tokens_per_s", t.decode_tokens_per_second()},
                 {"peak_mb", peak_megabytes()}};
  return o;
}

void program(const arguments& args) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string model = args.required(0, "MODEL");
  if (!args.has("batch") && !args.has("prompt")) throw usage_error("missing --prompt TEXT");
  pipelines::text_generation pipe(model, args.model_options());
  const double load =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  generation::generation_config call = args.generation_options();
  if (!call.do_sample) call.do_sample = false;
  generation::timing timing;
  pipelines::text_generation_options options;
  options.return_full_text = false;
  options.clean_up_tokenization_spaces = false;
  options.timing = &timing;
  const auto answer = [&](const std::string& prompt) {
    timing = {};
    if (!args.has("chat")) return pipe(prompt, call, options);
    return pipe.chat(json::array({{{"role", "user"}, {"content", prompt}}}), call, options);
  };
  if (args.has("batch"))
    return for_each_json_line([&](const json& line) {
      if (!line.is_string()) throw format_error("", -1, "expected a JSON string");
      return to_json(answer(line.get<std::string>()), timing, load);
    });
  if (!args.has("json"))
    call.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  const auto out = answer(args.text("prompt"));
  std::cout << (args.has("json") ? to_json_line(to_json(out, timing, load)) : "") << std::endl;
  if (args.has("verbose"))
    std::fprintf(stderr, "loaded in %.2f s; prompt %.1f tokens/s; decode %.1f tokens/s; %.0f MB\n",
                 load, timing.prompt_tokens_per_second(), timing.decode_tokens_per_second(),
                 peak_megabytes());
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage,
             {with_model({"prompt"}), {"chat", "json", "batch", "verbose", "progress"}, true},
             program);
}
