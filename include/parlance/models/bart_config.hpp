// SPDX-License-Identifier: Apache-2.0
// What tells the relatives of BART apart, as data: BART, mBART, Pegasus, Marian, M2M100 (and NLLB),
// LED.
// Source: transformers 4.57 configuration_*.py and modeling_*.py of these.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "parlance/models/config.hpp"

namespace parlance::inline PARLANCE_ABI::models {

enum class bart_positions : std::uint8_t {
  learned,     // BART, mBART: a table of the checkpoint, whose first row is position -2
  sinusoidal,  // Pegasus, Marian: sines then cosines, of the pairs' frequencies
  m2m100       // tensor2tensor's frequencies, the first position is padding_idx + 1
};

struct bart_config {
  std::string base_name = "model";  // the first segment of tensor names
  std::int64_t vocab_size = 50265, d_model = 1024;
  // Of M2M100 the positions have no end, as in the original: those beyond are computed each time.
  std::int64_t max_source_positions = 1024, max_target_positions = 1024;
  std::int64_t encoder_layers = 12, encoder_attention_heads = 16, encoder_ffn_dim = 4096;
  std::int64_t decoder_layers = 12, decoder_attention_heads = 16, decoder_ffn_dim = 4096;
  std::string activation_function = "gelu";
  bool scale_embedding = false, tie_word_embeddings = true;
  bart_positions positions = bart_positions::learned;
  std::int64_t position_offset = 2;  // rows of a learned table before that of position 0
  bool pre_norm = false;             // the norm stands before each block, and once more at the end
  bool norm_embedding = true;        // a norm after the embeddings
  bool logits_bias = true;           // final_logits_bias
  std::int64_t pad_token_id = 1;
  // Marian: source and target have vocabularies of their own. Both tables have vocab_size rows, as
  // transformers makes them; there are logits for the target's.
  bool shared_embeddings = true;
  std::int64_t decoder_vocab_size = 0;  // 0: vocab_size
  // LED: how far the attention of the encoder reaches, both sides together; one for all layers, or
  // one for each.
  std::vector<std::int64_t> attention_window;

  std::int64_t target_vocab_size() const {
    return decoder_vocab_size > 0 ? decoder_vocab_size : vocab_size;
  }
};

// LED's attention_window: one number, or one for each layer of the encoder.
inline std::vector<std::int64_t> read_attention_window(const json& config, std::int64_t layers) {
  const config_reader c(config);
  std::vector<std::int64_t> out{512};
  if (c.has("attention_window") && config.at("attention_window").is_array()) {
    out.clear();
    for (const double w : c.numbers("attention_window"))
      out.push_back(static_cast<std::int64_t>(w));
    if (static_cast<std::int64_t>(out.size()) != layers)
      c.fail("attention_window", "a number for each layer of the encoder");
  } else {
    out[0] = c.integer("attention_window", 512);
  }
  for (const std::int64_t w : out)
    if (w < 2 || w % 2) c.fail("attention_window", "even numbers above 0");
  return out;
}

inline bart_config read_bart_config(const json& config) {
  const config_reader c(config);
  const std::string type = c.text("model_type", "bart");
  const bool m2m = type == "m2m_100", marian = type == "marian", pegasus = type == "pegasus";
  const bool led = type == "led";
  bart_config m;
  if (led) m.base_name = "led";
  m.vocab_size = c.size("vocab_size", m2m ? 128112 : marian ? 58101 : 50265);
  m.d_model = c.size("d_model", 1024);
  m.max_source_positions = led ? c.size("max_encoder_position_embeddings", 16384)
                               : c.size("max_position_embeddings", 1024);
  m.max_target_positions =
      led ? c.size("max_decoder_position_embeddings", 1024) : m.max_source_positions;
  m.position_offset = led ? 0 : 2;
  m.encoder_layers = c.size("encoder_layers", 12);
  m.encoder_attention_heads = c.size("encoder_attention_heads", 16);
  m.encoder_ffn_dim = c.size("encoder_ffn_dim", 4096);
  m.decoder_layers = c.size("decoder_layers", 12);
  m.decoder_attention_heads = c.size("decoder_attention_heads", 16);
  m.decoder_ffn_dim = c.size("decoder_ffn_dim", 4096);
  m.activation_function = c.text("activation_function", m2m ? "relu" : "gelu");
  m.scale_embedding = c.flag("scale_embedding", m2m);
  m.tie_word_embeddings = c.flag("tie_word_embeddings", true);
  m.pad_token_id = c.integer("pad_token_id", 1);
  m.pre_norm = type == "mbart" || pegasus || m2m;
  m.norm_embedding = type == "bart" || type == "mbart" || led;
  m.logits_bias = !m2m;
  m.positions = m2m                 ? bart_positions::m2m100
                : pegasus || marian ? bart_positions::sinusoidal
                                    : bart_positions::learned;
  if (m.d_model % m.encoder_attention_heads)
    c.fail("encoder_attention_heads", "a divisor of d_model");
  if (m.d_model % m.decoder_attention_heads)
    c.fail("decoder_attention_heads", "a divisor of d_model");
  if (m.pad_token_id < 0 || m.pad_token_id >= m.vocab_size)
    c.fail("pad_token_id", "an id of the vocabulary");
  m.shared_embeddings = !marian || c.flag("share_encoder_decoder_embeddings", true);
  if (!m.shared_embeddings) m.decoder_vocab_size = c.size("decoder_vocab_size", m.vocab_size);
  if (m.decoder_vocab_size > m.vocab_size ||
      (m.tie_word_embeddings && !m.shared_embeddings && m.decoder_vocab_size != m.vocab_size))
    c.fail("decoder_vocab_size", "at most vocab_size, and equal to it with tie_word_embeddings");
  if (led) m.attention_window = read_attention_window(config, m.encoder_layers);
  return m;
}

// The row of position p in a sinusoidal table.
inline std::vector<double> sinusoid(const bart_config& c, std::int64_t p) {
  const std::int64_t d = c.d_model, sines = (d + 1) / 2, half = d / 2;
  const bool m2m = c.positions == bart_positions::m2m100;
  const auto at = static_cast<double>(m2m ? p + c.pad_token_id + 1 : p);
  std::vector<double> out;
  for (std::int64_t j = 0; j < d; ++j) {
    if (m2m) {
      // In single precision, as the original; an odd width ends with a zero.
      const float step = static_cast<float>(std::log(10000.0) / static_cast<double>(half - 1));
      const float frequency = std::exp(static_cast<float>(j % half) * -step);
      const float angle = static_cast<float>(at) * frequency;
      out.push_back(j >= 2 * half ? 0 : j < half ? std::sin(angle) : std::cos(angle));
    } else {
      const std::int64_t pair = j < sines ? j : j - sines;
      const double angle =
          at / std::pow(10000.0, 2 * static_cast<double>(pair) / static_cast<double>(d));
      out.push_back(j < sines ? std::sin(angle) : std::cos(angle));
    }
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::models
