// SPDX-License-Identifier: Apache-2.0
// Puts the tensors of a checkpoint into the parameters of a model and back. Which stored tensor
// feeds which parameter, and whether its rows are permuted, is data (`tensor_rule`), applied here
// only. Everything that does not fit is reported at once.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/core/progress.hpp"
#include "parlance/io/dequantize.hpp"
#include "parlance/io/safetensors_write.hpp"
#include "parlance/io/tensor_source.hpp"
#include "parlance/nn/module.hpp"

namespace parlance::inline PARLANCE_ABI::io {

// Arithmetic on weights that are stored in 16 or fewer bits. `automatic`: exact (float) for
// safetensors, native for GGUF, as the originals of both do.
enum class precision : std::uint8_t { automatic, exact, native };

struct load_options {
  std::optional<format> weights;  // storage of matrices; not set: what the file holds
  precision compute = precision::automatic;
  progress_callback on_progress;
  std::stop_token stop;
};

// Where a parameter comes from and what has to be undone.
struct tensor_rule {
  std::string name;
  std::int64_t permuted_heads = 0;  // rows interleaved per head for rotary pairs (GGUF llama q, k)
  double add = 0;                   // GGUF stores Gemma's norms plus one: -1
  bool untransposed = false;        // the file holds (out, in) although the checkpoint would not
  std::string fallback;             // looked up when `name` is missing
};
using tensor_rules = std::function<tensor_rule(const std::string& parameter)>;

// For a Hugging Face checkpoint: the parameter's own name, or that without the first segment, which
// checkpoints of a bare model lack.
inline tensor_rules folder_rules() {
  return [](const std::string& name) {
    tensor_rule rule;
    rule.name = name;
    rule.fallback = name.substr(name.find('.') + 1);
    return rule;
  };
}

namespace detail {

inline bool kernel_format(format f) {
  switch (f) {
    case format::q8_0:
    case format::q4_0:
    case format::q4_1:
    case format::q5_0:
    case format::q5_1:
    case format::q4_k:
    case format::q5_k:
    case format::q6_k:
      return true;
    default:
      return false;
  }
}

// What a matrix is kept as. Rows that do not fill the blocks of the wanted format fall back; a
// single row is a vector.
inline format matrix_format(const stored_tensor& t, const std::optional<format>& wanted) {
  const std::int64_t cols = t.dims.cols();
  if (t.dims.rank() == 2 && t.dims[0] == 1) return format::f32;
  format f = wanted.value_or(t.type);
  if (f == format::q4_k && t.type != f && cols % 256) f = format::q4_0;
  if (is_block_format(f) && cols % info(f).block) f = format::f32;
  if (is_block_format(f) ? kernel_format(f) : f == format::bf16 || f == format::f16) return f;
  return format::f32;
}

// HF row of GGUF row r: per head of size d, row 2 j + p came from row p d/2 + j.
inline std::int64_t permuted_row(std::int64_t r, std::int64_t rows, std::int64_t heads) {
  const std::int64_t d = rows / heads, in_head = r % d;
  return r - in_head + 2 * (in_head % (d / 2)) + in_head / (d / 2);
}

// Bytes of a tensor, rows put back in order when the rule asks for it.
inline std::vector<std::byte> ordered_rows(const stored_tensor& t, std::int64_t heads) {
  const std::int64_t rows = t.dims[0];
  const std::size_t stride = t.data.size() / static_cast<std::size_t>(rows);
  std::vector<std::byte> out(t.data.size());
  for (std::int64_t r = 0; r < rows; ++r)
    std::copy_n(t.data.data() + stride * static_cast<std::size_t>(permuted_row(r, rows, heads)),
                stride, out.data() + stride * static_cast<std::size_t>(r));
  return out;
}

template <class E>
bool aligned_for(const stored_tensor& t) {
  return reinterpret_cast<std::uintptr_t>(t.data.data()) % alignof(E) == 0;
}

template <class T>
tensor<T> read_dense(const stored_tensor& t, const shape& dims, bool transpose) {
  if constexpr (std::is_same_v<T, float>)
    if (t.type == format::f32 && !transpose && t.owner && aligned_for<float>(t))
      return tensor<float>(dims, reinterpret_cast<const float*>(t.data.data()), t.owner);
  tensor<T> values(t.dims.empty() ? shape{1} : t.dims);
  read_floats(t, values.data());
  if (!transpose) return values.view(dims);
  tensor<T> out(dims);
  const std::int64_t rows = dims[0], cols = dims[1];
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < cols; ++c) out.data()[r * cols + c] = values.data()[c * rows + r];
  return out;
}

template <class E>
half_matrix<E> make_half(const stored_tensor& t, const shape& dims, bool transpose, format f) {
  if (t.type == f && !transpose && t.owner && aligned_for<E>(t))
    return {reinterpret_cast<const E*>(t.data.data()), t.owner};
  const tensor<float> values = read_dense<float>(t, dims, transpose);
  auto owned = std::make_shared<std::vector<E>>(static_cast<std::size_t>(dims.size()));
  for (std::size_t i = 0; i < owned->size(); ++i) (*owned)[i] = E(values.data()[i]);
  const E* data = owned->data();
  return {data, std::move(owned)};
}

template <class T>
weight<T> make_matrix(const stored_tensor& t, const shape& dims, bool transpose,
                      const load_options& options) {
  format f = matrix_format(t, options.weights);
  if (transpose && is_block_format(f) && dims[1] % info(f).block) f = format::f32;
  const bool exact = options.compute != precision::native;
  if (f == format::bf16) return {dims, make_half<bf16>(t, dims, transpose, f), exact};
  if (f == format::f16) return {dims, make_half<f16>(t, dims, transpose, f), exact};
  if (!is_block_format(f)) return weight<T>(read_dense<T>(t, dims, transpose));
  // Quantised storage is chosen for its speed: exact arithmetic on it has to be asked for.
  const bool exact_blocks = options.compute == precision::exact;
  if (t.type == f && !transpose) {
    auto packed = std::make_shared<const kernels::quant_matrix>(
        kernels::quant_matrix::pack(f, dims[0], dims[1], t.data.data()));
    if (t.owner) release_mapped_pages(t.data);
    return {dims, typename weight<T>::quantised(std::move(packed)), exact_blocks};
  }
  std::function<void(std::int64_t, float*)> row = [&](std::int64_t r, float* out) {
    read_rows(t, r, 1, out);
  };
  tensor<float> turned;
  if (transpose) {
    turned = read_dense<float>(t, dims, true);
    row = [&](std::int64_t r, float* out) { std::copy_n(turned.row(r), dims[1], out); };
  }
  return {dims,
          typename weight<T>::quantised(std::make_shared<const kernels::quant_matrix>(
              kernels::quant_matrix::quantize(f, dims[0], dims[1], row))),
          exact_blocks};
}

template <class T>
void load_one(nn::parameter<T>& p, stored_tensor t, const tensor_rule& rule,
              const load_options& options) {
  std::vector<std::byte> ordered;
  if (rule.permuted_heads) {
    ordered = ordered_rows(t, rule.permuted_heads);
    auto owned = std::make_shared<std::vector<std::byte>>(std::move(ordered));
    t.data = *owned;
    const format kept = matrix_format(t, options.weights);
    // Not a file map: only keep it alive where the parameter will look into it.
    t.owner =
        is_block_format(kept) && t.dims.rank() == 2 ? nullptr : std::shared_ptr<const void>(owned);
    const bool transpose = p.transposed && !rule.untransposed;
    p.value = p.dims.rank() == 2 ? make_matrix<T>(t, p.dims, transpose, options)
                                 : weight<T>(read_dense<T>(t, p.dims, false));
    return;
  }
  const bool transpose = p.transposed && !rule.untransposed;
  if (p.dims.rank() == 2) {
    p.value = make_matrix<T>(t, p.dims, transpose, options);
    return;
  }
  tensor<T> values = read_dense<T>(t, p.dims, transpose);
  if (rule.add != 0) {
    values = values.clone();
    for (T& v : values.values()) v += static_cast<T>(rule.add);
  }
  p.value = weight<T>(std::move(values));
}

}  // namespace detail

// Fills every parameter of `m`; one that the source lacks keeps the value it has, if any.
// `ignorable(name)` says which left-over tensors are no fault.
template <class T, class M>
void load_parameters(M& m, const tensor_source& source, const tensor_rules& rules,
                     const load_options& options,
                     const std::function<bool(const std::string&)>& ignorable) {
  std::vector<std::string> missing, unexpected, mismatched;
  std::set<const stored_tensor*> used;
  struct binding {
    nn::parameter<T>* target;
    const stored_tensor* from;
    tensor_rule rule;
  };
  std::vector<binding> plan;
  nn::for_each_parameter<T>(m, [&](const std::string& name, nn::parameter<T>& p) {
    const tensor_rule rule = rules(name);
    const stored_tensor* t = source.find(rule.name);
    if (!t && !rule.fallback.empty()) t = source.find(rule.fallback);
    if (!t && p.defined()) return;
    if (!t) return missing.push_back(rule.name);
    used.insert(t);
    shape expected = p.dims;
    if (p.transposed && !rule.untransposed) expected = {p.dims[1], p.dims[0]};
    if (!(t->dims == expected))
      return mismatched.push_back(t->name + " (file " + t->dims.to_string() + ", model " +
                                  expected.to_string() + ")");
    plan.push_back({&p, t, rule});
  });
  for (const stored_tensor& t : source.tensors())
    if (!used.contains(&t) && !ignorable(t.name)) unexpected.push_back(t.name);
  if (!missing.empty() || !unexpected.empty() || !mismatched.empty())
    throw load_error(source.describe(), missing, unexpected, mismatched);
  std::uint64_t done = 0;
  for (const binding& b : plan) {
    throw_if_stopped(options.stop, "load");
    detail::load_one(*b.target, *b.from, b.rule, options);
    if (options.on_progress({"load", ++done, plan.size()}) == flow::stop)
      throw cancelled_error("load: stopped by the progress callback");
  }
}

// Writes every parameter under its checkpoint name to model.safetensors. Dense and half weights
// keep their format; quantised ones are written as f32, which Python reads.
template <class T, class M>
void save_parameters(M& m, const std::filesystem::path& folder) {
  std::vector<tensor<float>> kept;  // values converted for the file
  std::vector<tensor_to_write> list;
  nn::for_each_parameter<T>(m, [&](const std::string& name, nn::parameter<T>& p) {
    if (!p.defined()) throw option_error("save: parameter " + name + " has no value");
    const bool flip = p.transposed;
    const shape dims = flip ? shape{p.dims[1], p.dims[0]} : p.dims;
    const auto bytes = [](const auto* data, std::int64_t n) {
      return std::as_bytes(std::span(data, static_cast<std::size_t>(n)));
    };
    if (const auto* b = std::get_if<half_matrix<bf16>>(&p.value.stored()); b && !flip) {
      list.push_back({name, format::bf16, dims, bytes(b->data, dims.size())});
      return;
    }
    if (const auto* h = std::get_if<half_matrix<f16>>(&p.value.stored()); h && !flip) {
      list.push_back({name, format::f16, dims, bytes(h->data, dims.size())});
      return;
    }
    const tensor<T> dense = p.value.to_dense();
    tensor<float> values(dims);
    for (std::int64_t r = 0; r < p.dims.rows(); ++r)
      for (std::int64_t c = 0; c < p.dims.cols(); ++c)
        values.data()[flip ? c * p.dims[0] + r : r * p.dims.cols() + c] =
            static_cast<float>(dense.data()[r * p.dims.cols() + c]);
    list.push_back({name, format::f32, dims, bytes(values.data(), dims.size())});
    kept.push_back(std::move(values));
  });
  std::filesystem::create_directories(folder);
  write_safetensors(folder / "model.safetensors", list);
}

}  // namespace parlance::inline PARLANCE_ABI::io
