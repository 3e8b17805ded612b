// SPDX-License-Identifier: Apache-2.0
// A conversation on the terminal; or messages as JSON lines.
#include "common.hpp"
#include "parlance/io/hub_cache.hpp"
#include "parlance/pipelines/text_generation.hpp"

using namespace examples;

namespace {

const char* usage =
    "chat MODEL [--messages | --render] [options]\n"
    "  without: a person's lines in, streamed replies out\n"
    "  --messages  a line: {\"messages\": [...], \"tools\": [...]}; prints the reply as a message\n"
    "  --render    prints the prompt string of the chat template as a JSON string\n"
    "  --system TEXT  --threads N  --weights FORMAT  and every option of generation_config\n";

json render(const tokenizers::chat_template& t, json line) {
  const json messages = line.at("messages");
  tokenizers::chat_options o;
  o.add_generation_prompt = line.value("add_generation_prompt", false);
  o.continue_final_message = line.value("continue_final_message", false);
  if (line.contains("tools")) o.tools = line["tools"];
  if (line.contains("documents")) o.documents = line["documents"];
  for (const char* own :
       {"messages", "add_generation_prompt", "continue_final_message", "tools", "documents"})
    line.erase(own);
  o.extra = line;
  return t.render(messages, o);
}

void converse(pipelines::text_generation& pipe, const arguments& args) {
  json messages = json::array();
  if (args.has("system"))
    messages.push_back({{"role", "system"}, {"content", args.text("system")}});
  auto call = args.generation_options();
  call.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  for (std::string line; std::getline(std::cin, line);) {
    messages.push_back({{"role", "user"}, {"content", line}});
    messages = pipe.chat(messages, call).messages;
    std::cout << std::endl;
  }
}

void program(const arguments& args) {
  const std::string model = args.required(0, "MODEL");
  if (args.has("render")) {
    const auto t = pipelines::load_tokenizer(io::resolve_model(model, args.text("cache")));
    const auto chat = pipelines::load_chat_template(*t);
    if (!chat) throw option_error("this model has no chat template");
    return for_each_json_line([&](const json& line) { return render(*chat, line); });
  }
  pipelines::text_generation pipe(model, args.model_options());
  if (!args.has("messages")) return converse(pipe, args);
  for_each_json_line([&](const json& line) {
    pipelines::text_generation_options o;
    if (line.contains("tools")) o.tools = line["tools"];
    return pipe.chat(line.at("messages"), args.generation_options(), o).messages.back();
  });
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage,
             {with_model({"system"}), {"messages", "render", "progress", "verbose"}, true},
             program);
}
