// SPDX-License-Identifier: Apache-2.0
// Trains a small Llama from fresh weights on a text file: learns a byte-level BPE vocabulary, shows
// the loss with a progress bar, prints the perplexity of the held-out end of the text and saves an
// ordinary model folder, which `generate` loads and so does Python.
#include <cmath>
#include <csignal>
#include <fstream>

#include "common.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/tokenizers/bpe_trainer.hpp"
#include "parlance/training/adamw.hpp"

using namespace examples;

namespace {

constexpr const char* usage =
    "train_tiny_lm TEXT_FILE --out FOLDER [options]\n"
    "  --tokenizer FOLDER        use its tokenizer, else learn one of --vocab_size (512) tokens\n"
    "  --chat                    the text is ChatML: <|im_start|> and <|im_end|> are special "
    "tokens\n"
    "  --hidden_size 64  --intermediate_size 176  --num_hidden_layers 2\n"
    "  --num_attention_heads 4  --num_key_value_heads 2\n"
    "  --steps 200  --batch_size 8  --length 64  --learning_rate 0.003  --warmup_steps 20\n"
    "  --weight_decay 0.01  --max_grad_norm 1  --held_out 0.1  --seed 0  --threads N\n"
    "  --save_as f32|bf16|f16    storage of the weights\n";

constexpr const char* chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

struct settings {
  long steps, batch, length, warmup;
  double learning_rate, weight_decay, max_grad_norm;
  std::uint64_t seed;
};

json model_config(const arguments& args, const tokenizers::tokenizer& t, long length) {
  const long heads = args.integer("num_attention_heads", 4);
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", t.vocab_size()},
          {"hidden_size", args.integer("hidden_size", 64)},
          {"intermediate_size", args.integer("intermediate_size", 176)},
          {"num_hidden_layers", args.integer("num_hidden_layers", 2)},
          {"num_attention_heads", heads},
          {"num_key_value_heads", args.integer("num_key_value_heads", std::max(1L, heads / 2))},
          {"max_position_embeddings", std::max(512L, length)},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", true},
          {"attention_bias", false},
          {"bos_token_id", t.bos_id().value_or(0)},
          {"eos_token_id", t.eos_id().value_or(0)},
          {"torch_dtype", "float32"}};
}

// The companions of tokenizer.json that name the special tokens.
void write_tokenizer_config(const std::filesystem::path& folder, bool chat) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"model_max_length", 512}};
  config["bos_token"] = chat ? "<|im_start|>" : "<|endoftext|>";
  config["eos_token"] = chat ? "<|im_end|>" : "<|endoftext|>";
  config["pad_token"] = "<|endoftext|>";
  if (chat) config["chat_template"] = chatml;
  write_atomic(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

tokenizers::tokenizer make_tokenizer(const arguments& args, const std::string& text,
                                     const std::filesystem::path& out) {
  if (args.has("tokenizer")) {
    auto t = tokenizers::tokenizer::from_pretrained(args.text("tokenizer"));
    t.save_pretrained(out);
    return t;
  }
  tokenizers::bpe_trainer_options o;
  o.vocab_size = static_cast<std::size_t>(args.integer("vocab_size", 512));
  o.special_tokens = {"<|endoftext|>"};
  if (args.has("chat"))
    o.special_tokens.insert(o.special_tokens.end(), {"<|im_start|>", "<|im_end|>"});
  tokenizers::train_byte_level_bpe(std::vector{text}, o).save_pretrained(out);
  write_tokenizer_config(out, args.has("chat"));
  return tokenizers::tokenizer::from_pretrained(out);
}

// `count` windows of `length` ids and the ids that follow them.
struct batch {
  std::vector<std::int32_t> ids, labels;
  void add(std::span<const std::int32_t> text, std::size_t at, std::size_t length) {
    ids.insert(ids.end(), text.begin() + at, text.begin() + at + length);
    labels.insert(labels.end(), text.begin() + at + 1, text.begin() + at + length + 1);
  }
};

float loss_of(const models::causal_lm& model, const batch& b, long count, tensor<float>* graph) {
  models::decoder_input in;
  in.ids = b.ids;
  in.batch = count;
  tensor<float> loss = model.loss(in, b.labels);
  if (graph) *graph = loss;
  return loss.item();
}

double perplexity(const models::causal_lm& model, std::span<const std::int32_t> text,
                  std::size_t length) {
  const autograd::no_grad off;
  double total = 0, tokens = 0;
  for (std::size_t at = 0; at + 1 < text.size(); at += length) {
    batch b;
    b.add(text, at, std::min(length, text.size() - 1 - at));
    total += static_cast<double>(loss_of(model, b, 1, nullptr)) * static_cast<double>(b.ids.size());
    tokens += static_cast<double>(b.ids.size());
  }
  return std::exp(total / tokens);
}

// Linear warm-up, then half a cosine down to a tenth.
double learning_rate(const settings& s, long step) {
  if (step < s.warmup)
    return s.learning_rate * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  const double p =
      static_cast<double>(step - s.warmup) / static_cast<double>(std::max(1L, s.steps - s.warmup));
  return s.learning_rate * (0.1 + 0.9 * 0.5 * (1 + std::cos(3.141592653589793 * p)));
}

void draw_bar(long done, long total, double loss, double rate) {
  const int width = 30, full = static_cast<int>(width * done / total);
  std::fprintf(stderr, "\r[%s%s] %ld/%ld  loss %.3f  %.0f tokens/s ",
               std::string(static_cast<std::size_t>(full), '#').c_str(),
               std::string(static_cast<std::size_t>(width - full), '.').c_str(), done, total, loss,
               rate);
}

volatile std::sig_atomic_t interrupted = 0;

// Ctrl-C ends training early; what was learned is kept.
void train(models::causal_lm& model, std::span<const std::int32_t> text, const settings& s) {
  training::adamw optimizer(model,
                            {.learning_rate = s.learning_rate, .weight_decay = s.weight_decay});
  rng draw(s.seed, 1);
  const auto length = static_cast<std::size_t>(s.length);
  const auto begin = std::chrono::steady_clock::now();
  double smooth = 0;
  for (long step = 0; step < s.steps && !interrupted; ++step) {
    batch b;
    for (long i = 0; i < s.batch; ++i)
      b.add(text, draw.below(static_cast<std::uint32_t>(text.size() - length)), length);
    tensor<float> loss;
    const double value = loss_of(model, b, s.batch, &loss);
    autograd::backward(loss);
    loss = {};
    const auto clipped = training::clip_grad_norm(model, s.max_grad_norm);
    optimizer.step(clipped.scale, learning_rate(s, step));
    optimizer.zero_grad();
    smooth = step ? 0.95 * smooth + 0.05 * value : value;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (step % 10 == 9 || step + 1 == s.steps)
      draw_bar(step + 1, s.steps, smooth,
               static_cast<double>((step + 1) * s.batch * s.length) / seconds);
  }
  std::fputc('\n', stderr);
}

void save(models::causal_lm& model, const std::filesystem::path& out, const std::string& save_as) {
  model.save_pretrained(out);
  if (save_as == "f32") return;
  io::load_options narrow;
  narrow.weights = parse_format(save_as);
  const auto stored = models::causal_lm_from_pretrained(out.string(), narrow);
  json config = stored->config();
  config["torch_dtype"] = save_as == "bf16" ? "bfloat16" : "float16";
  stored->save_weights(out);
  write_atomic(out / "config.json", config.dump(2) + "\n");
}

void program(const arguments& args) {
  const std::string text = read_text(args.required(0, "TEXT_FILE"));
  const std::filesystem::path out = args.text("out");
  if (out.empty()) throw usage_error("--out FOLDER is needed");
  const std::string save_as = args.text("save_as", "f32");
  if (save_as != "f32" && save_as != "bf16" && save_as != "f16")
    throw usage_error("--save_as: expected f32, bf16 or f16");
  if (args.has("threads")) set_num_threads(static_cast<int>(args.integer("threads", 0)));
  const settings s{
      args.integer("steps", 200),         args.integer("batch_size", 8),
      args.integer("length", 64),         args.integer("warmup_steps", 20),
      args.number("learning_rate", 3e-3), args.number("weight_decay", 0.01),
      args.number("max_grad_norm", 1),    static_cast<std::uint64_t>(args.integer("seed", 0))};
  std::filesystem::create_directories(out);
  const tokenizers::tokenizer tokenizer = make_tokenizer(args, text, out);
  const std::vector<std::int32_t> ids = tokenizer.encode_ids(text, {.add_special_tokens = false});
  const auto held =
      static_cast<std::size_t>(args.number("held_out", 0.1) * static_cast<double>(ids.size()));
  const std::span<const std::int32_t> all(ids), train_ids = all.first(ids.size() - held),
                                                rest = all.last(held);
  if (train_ids.size() < static_cast<std::size_t>(s.length) + 2 || rest.size() < 2)
    throw option_error("the text is too short: " + std::to_string(ids.size()) + " tokens");

  const json config = model_config(args, tokenizer, s.length);
  const auto model = models::make_causal_lm(config);
  nn::init<float>(*model, s.seed);
  nn::unfreeze<float>(*model);
  json generation = {{"bos_token_id", config["bos_token_id"]},
                     {"eos_token_id", config["eos_token_id"]}};
  models::token_decoder_access::set(*model, config, generation, format::f32);
  std::printf("%lld parameters, %zu tokens to learn from, %zu held out\n",
              static_cast<long long>(nn::count_parameters<float>(*model)), train_ids.size(),
              rest.size());
  std::printf("held-out perplexity before: %.2f\n",
              perplexity(*model, rest, static_cast<std::size_t>(s.length)));
  std::fflush(stdout);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  train(*model, train_ids, s);
  std::printf("held-out perplexity after: %.2f\n",
              perplexity(*model, rest, static_cast<std::size_t>(s.length)));
  save(*model, out, save_as);
  std::printf("saved %s\n", out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, usage,
             {{"out", "tokenizer", "vocab_size", "hidden_size", "intermediate_size",
               "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "steps",
               "batch_size", "length", "learning_rate", "warmup_steps", "weight_decay",
               "max_grad_norm", "held_out", "seed", "threads", "save_as"},
              {"chat"}},
             program);
}
