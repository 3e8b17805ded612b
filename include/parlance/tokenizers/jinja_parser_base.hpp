// SPDX-License-Identifier: Apache-2.0
// What the parsers of expressions and of statements share: the token stream, making of nodes,
// limits.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_ast.hpp"
#include "parlance/tokenizers/jinja_lexer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// Which filters and tests exist.
struct known_names {
  bool (*is_filter)(std::string_view);
  bool (*is_test)(std::string_view);
};

class parser_base {
 protected:
  parser_base(std::vector<token> tokens, known_names known)
      : known_(known), tokens_(std::move(tokens)) {}
  virtual ~parser_base() = default;

  // Tokens.
  const token& current() const { return tokens_[at_]; }
  const token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool is(token_type type) const { return current().type == type; }
  bool is_op(std::string_view op) const { return is(token_type::op) && current().text == op; }
  bool is_name(std::string_view name) const {
    return is(token_type::name) && current().text == name;
  }
  const token& next() {
    const token& t = tokens_[at_];
    if (t.type != token_type::eof) ++at_;
    return t;
  }
  bool skip_op(std::string_view op) { return is_op(op) && (next(), true); }
  bool skip_name(std::string_view name) { return is_name(name) && (next(), true); }
  [[noreturn]] void error(const std::string& what) const { fail_at(current().line, what); }
  void expect_op(std::string_view op) {
    if (!skip_op(op)) unexpected("'" + std::string(op) + "'");
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) unexpected("'" + std::string(name) + "'");
  }
  void expect(token_type type, const char* what) {
    if (!is(type)) unexpected(what);
    next();
  }
  std::string expect_identifier() {
    if (!is(token_type::name)) unexpected("a name");
    return next().text;
  }
  [[noreturn]] void unexpected(const std::string& wanted) const {
    const token& t = current();
    std::string found = t.type == token_type::eof ? "the end of the template"
                        : t.type == token_type::name || t.type == token_type::op
                            ? "'" + t.text + "'"
                        : t.type == token_type::block_end || t.type == token_type::variable_end
                            ? "the end of the tag"
                            : "something else";
    error("expected " + wanted + ", found " + found);
  }

  // Nodes.
  node make(node_type type, std::uint32_t line) const {
    node n;
    n.type = type, n.line = line;
    return n;
  }
  void deepen(node& n, node_id child) {
    if (child == no_node) return;
    n.depth = std::max<std::uint16_t>(n.depth, tree_.nodes[child].depth + 1);
    if (n.depth > max_nesting) fail_at(n.line, "the template nests too deep");
  }
  node_id add(node n) {
    for (const node_id child : {n.a, n.b, n.c, n.d}) deepen(n, child);
    tree_.nodes.push_back(n);
    return static_cast<node_id>(tree_.nodes.size() - 1);
  }
  span add_list(node& n, const std::vector<std::uint32_t>& items) {
    for (const node_id child : items) deepen(n, child);
    return add_raw(items);
  }
  span add_raw(const std::vector<std::uint32_t>& items) {
    const span s{static_cast<std::uint32_t>(tree_.lists.size()),
                 static_cast<std::uint32_t>(items.size())};
    tree_.lists.insert(tree_.lists.end(), items.begin(), items.end());
    return s;
  }
  node_id add_constant(constant c, std::uint32_t line, node_type type = node_type::constant) {
    node n = make(type, line);
    n.index = static_cast<std::uint32_t>(tree_.constants.size());
    tree_.constants.push_back(std::move(c));
    return add(n);
  }

  // Recursion of the parser itself.
  class nested {
   public:
    explicit nested(parser_base& p) : parser_(p) {
      if (++parser_.depth_ > max_nesting) parser_.error("the template nests too deep");
    }
    ~nested() { --parser_.depth_; }
    nested(const nested&) = delete;
    nested& operator=(const nested&) = delete;

   private:
    parser_base& parser_;
  };

  // What an expression refers to, for the enclosing statements.
  virtual void on_name(const std::string& name) = 0;
  virtual bool soft() const = 0;  // inside an if: unknown filters fail only when they run

  tree tree_;
  known_names known_;
  // Unknown filters and tests met outside of conditions: (kind and name, line).
  std::vector<std::pair<std::string, std::uint32_t>> unknown_;

 private:
  std::vector<token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
