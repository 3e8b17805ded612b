// SPDX-License-Identifier: Apache-2.0
// A model of one's own is fields, forward and visit -- and it trains, saves and loads. It learns
// the parity of three bits.
#include "common.hpp"
#include "parlance/io/bind.hpp"
#include "parlance/io/safetensors.hpp"
#include "parlance/nn/layers.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/training/adamw.hpp"

using namespace examples;

struct parity_net {
  nn::linear<float> hidden{3, 16, true}, out{16, 2, true};

  tensor<float> forward(const tensor<float>& x) const {
    return out(ops::activate<kernels::gelu_tanh>(hidden(x)));
  }
  void visit(nn::visitor<float>& v) { v("hidden", hidden), v("out", out); }
};

int main(int argc, char** argv) {
  return run(argc, argv, "custom_model FOLDER\n", {}, [](const arguments& args) {
    tensor<float> x({8, 3});
    std::vector<std::int32_t> labels;
    for (int i = 0; i < 8; ++i) {
      for (int b = 0; b < 3; ++b) x.row(i)[b] = static_cast<float>(i >> b & 1);
      labels.push_back((i ^ i >> 1 ^ i >> 2) & 1);
    }
    parity_net net;
    nn::init<float>(net, 1, 0.5);
    nn::unfreeze<float>(net);
    training::adamw optimizer(net, {.learning_rate = 0.02});
    float loss = 0;
    for (int step = 0; step < 400; ++step) {
      const tensor<float> l = ops::cross_entropy(net.forward(x), labels);
      loss = l.item();
      autograd::backward(l);
      optimizer.step();
      optimizer.zero_grad();
    }
    const std::string folder = args.required(0, "FOLDER");
    io::save_parameters<float>(net, folder);
    parity_net again;
    const auto file = io::open_safetensors(std::filesystem::path(folder) / "model.safetensors");
    io::load_parameters<float>(again, *file, io::folder_rules(), {},
                               [](const std::string&) { return false; });
    const tensor<float> scores = again.forward(x);
    int right = 0;
    for (int i = 0; i < 8; ++i)
      right += (scores.row(i)[1] > scores.row(i)[0]) == (labels[static_cast<std::size_t>(i)] == 1);
    std::printf("loss %.5f, %d of 8 right after loading again\n", loss, right);
    if (right != 8) throw error("result", "the network did not learn parity");
  });
}
