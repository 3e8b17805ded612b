// SPDX-License-Identifier: Apache-2.0
// SentencePiece's .model files: the fields of the protocol buffer that tokenizing needs. Everything
// that is wrong with the bytes is a format_error with its place. Source: google/sentencepiece
// src/sentencepiece_model.proto; the encoding of protocol buffers.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

enum class piece_type : std::uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

struct sentence_piece_model {
  enum class kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  string_list pieces;
  std::vector<float> scores;
  std::vector<piece_type> types;
  kind model_type = kind::unigram;
  std::uint32_t unk_id = 0;
  std::string unk_piece = "<unk>";
  bool byte_fallback = false;
  std::string precompiled_charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true;
};

namespace impl {

// Walks the fields of one protobuf message; `at` counts from the start of the file.
class protobuf_reader {
 public:
  protobuf_reader(std::string_view bytes, std::size_t at, const std::string& where)
      : bytes_(bytes), base_(at), where_(where) {}

  std::uint32_t field = 0, wire = 0;
  // Goes to the next field; false at the end.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t key = varint();
    field = static_cast<std::uint32_t>(key >> 3);
    wire = static_cast<std::uint32_t>(key & 7);
    if (key >> 3 == 0 || key >> 32 != 0) fail("field number out of range");
    return true;
  }
  std::uint64_t number() {
    expect(0, "a number");
    return varint();
  }
  bool flag() { return number() != 0; }
  float real() {
    expect(5, "a 32-bit float");
    return std::bit_cast<float>(static_cast<std::uint32_t>(fixed(4)));
  }
  std::string_view text() {
    expect(2, "a string");
    const std::uint64_t length = varint();
    if (length > bytes_.size() - at_)
      fail("length " + std::to_string(length) + " where " + std::to_string(bytes_.size() - at_) +
           " bytes are left");
    const std::string_view out = bytes_.substr(at_, static_cast<std::size_t>(length));
    at_ += static_cast<std::size_t>(length);
    return out;
  }
  protobuf_reader message() {
    const std::string_view inner = text();
    return {inner, base_ + at_ - inner.size(), where_};
  }
  void skip() {
    if (wire == 0)
      varint();
    else if (wire == 1)
      fixed(8);
    else if (wire == 2)
      text();
    else if (wire == 5)
      fixed(4);
    else
      fail("wire type " + std::to_string(wire) + " of field " + std::to_string(field));
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw format_error(where_, static_cast<std::int64_t>(base_ + at_), what,
                       "not a SentencePiece model, or a damaged one");
  }

 private:
  void expect(std::uint32_t type, const char* what) const {
    if (wire != type)
      fail("field " + std::to_string(field) + ": expected " + what + ", got wire type " +
           std::to_string(wire));
  }
  std::uint64_t varint() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail("ends inside a number");
      const auto b = static_cast<unsigned char>(bytes_[at_++]);
      if (shift == 63 && b > 1) break;
      out |= std::uint64_t{b & 0x7Fu} << shift;
      if (b < 0x80) return out;
    }
    fail("number of more than 64 bits");
  }
  std::uint64_t fixed(std::size_t n) {
    if (bytes_.size() - at_ < n) fail("ends inside a number");
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < n; ++i)
      out |= std::uint64_t{static_cast<unsigned char>(bytes_[at_ + i])} << (8 * i);
    at_ += n;
    return out;
  }

  std::string_view bytes_;
  std::size_t base_, at_ = 0;
  const std::string& where_;
};

inline void read_piece(protobuf_reader in, sentence_piece_model& out) {
  std::string_view piece;
  float score = 0.0f;
  std::uint64_t type = 1;
  while (in.next()) {
    if (in.field == 1)
      piece = in.text();
    else if (in.field == 2)
      score = in.real();
    else if (in.field == 3)
      type = in.number();
    else
      in.skip();
  }
  const std::string name = "piece " + std::to_string(out.pieces.size());
  if (piece.empty()) in.fail(name + " is empty");
  if (utf8_find_invalid(piece) != std::string_view::npos) in.fail(name + " is not UTF-8");
  if (!std::isfinite(score)) in.fail(name + ": the score is not finite");
  if (type < 1 || type > 6) in.fail(name + ": unknown type " + std::to_string(type));
  out.pieces.add(piece);
  out.scores.push_back(score);
  out.types.push_back(static_cast<piece_type>(type));
}

inline void read_trainer_spec(protobuf_reader in, sentence_piece_model& out) {
  while (in.next()) {
    if (in.field == 3) {
      const std::uint64_t type = in.number();
      if (type < 1 || type > 4) in.fail("model_type " + std::to_string(type));
      out.model_type = static_cast<sentence_piece_model::kind>(type);
    } else if (in.field == 35) {
      out.byte_fallback = in.flag();
    } else if (in.field == 40) {
      const std::uint64_t id = in.number();
      if (id > 0x7FFFFFFF) in.fail("unk_id out of range");
      out.unk_id = static_cast<std::uint32_t>(id);
    } else if (in.field == 45) {
      out.unk_piece = in.text();
    } else {
      in.skip();
    }
  }
}

inline void read_normalizer_spec(protobuf_reader in, sentence_piece_model& out) {
  while (in.next()) {
    if (in.field == 2)
      out.precompiled_charsmap = in.text();
    else if (in.field == 3)
      out.add_dummy_prefix = in.flag();
    else if (in.field == 4)
      out.remove_extra_whitespaces = in.flag();
    else
      in.skip();
  }
}

}  // namespace impl

// The model in `bytes`; `where` names the file in errors.
inline sentence_piece_model read_sentence_piece(std::string_view bytes, const std::string& where) {
  sentence_piece_model out;
  impl::protobuf_reader in(bytes, 0, where);
  while (in.next()) {
    if (in.field == 1)
      impl::read_piece(in.message(), out);
    else if (in.field == 2)
      impl::read_trainer_spec(in.message(), out);
    else if (in.field == 3)
      impl::read_normalizer_spec(in.message(), out);
    else
      in.skip();
  }
  const std::size_t n = out.pieces.size();
  if (n == 0) in.fail("no pieces");
  if (out.unk_id >= n)
    in.fail("unk_id " + std::to_string(out.unk_id) + " outside the vocabulary of " +
            std::to_string(n));
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
