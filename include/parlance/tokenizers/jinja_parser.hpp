// SPDX-License-Identifier: Apache-2.0
// Parses a template: statements and text (jinja2/parser.py 3.1.6, with the loopcontrols extension
// and the generation tag of transformers). Templates have no loader, so include, import and extends
// are refused; so is autoescape.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_expression_parser.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

class parser : public expression_parser {
 public:
  parser(std::string_view source, known_names known)
      : expression_parser(lexer(source).run(), known) {}

  tree run() {
    tree_.root = body({});
    if (!unknown_.empty()) fail_at(unknown_[0].second, unknown_[0].first);
    return std::move(tree_);
  }

 private:
  using names = std::initializer_list<std::string_view>;

  // The frame that a statement is in: what decides whether break may appear, whether a filter may
  // be unknown, and which variables a macro or a loop has to provide.
  struct frame {
    enum { block, function, loop } type;
    std::uint8_t uses = 0;
    bool soft = false;
    bool live = true;  // counts names only while its body is parsed
  };

  void on_name(const std::string& name) override {
    const std::uint8_t macro_flag = name == "caller"    ? macro_uses_caller
                                    : name == "kwargs"  ? macro_uses_kwargs
                                    : name == "varargs" ? macro_uses_varargs
                                                        : 0;
    if (macro_flag == 0 && name != "loop") return;
    for (frame& f : frames_) {
      if (!f.live) continue;
      if (f.type == frame::loop && macro_flag == 0) f.uses |= loop_uses_loop;
      if (f.type == frame::function) f.uses |= macro_flag;
    }
  }
  bool soft() const override { return !frames_.empty() && frames_.back().soft; }

  bool at_any(names ends) const {
    if (!is(token_type::name)) return false;
    for (const std::string_view end : ends)
      if (current().text == end) return true;
    return false;
  }

  // Text and statements up to one of the tags in `ends`, which stays current.
  node_id body(names ends) {
    const nested guard(*this);
    node n = make(node_type::body, current().line);
    std::vector<std::uint32_t> items;
    while (!is(token_type::eof)) {
      const std::uint32_t line = current().line;
      if (is(token_type::data)) {
        constant c;
        c.type = constant::text, c.s = next().text;
        items.push_back(add_constant(std::move(c), line, node_type::data));
      } else if (is(token_type::variable_begin)) {
        next();
        node out = make(node_type::output, line);
        out.a = tuple_or_expression();
        expect(token_type::variable_end, "the end of the print statement");
        items.push_back(add(out));
      } else {
        next();
        if (at_any(ends)) break;
        statement(items);
        expect(token_type::block_end, "the end of the statement");
      }
    }
    if (ends.size() > 0 && is(token_type::eof)) missing_end(ends);
    n.list = add_list(n, items);
    return add(n);
  }

  [[noreturn]] void missing_end(names ends) {
    std::string list;
    for (const std::string_view end : ends) list += (list.empty() ? "" : " or ") + std::string(end);
    error("unexpected end of template, looking for " + list);
  }

  // The rest of an opening tag, a body, and (when `drop`) the name of the closing tag.
  node_id block_body(names ends, bool drop = true) {
    skip_op(":");
    expect(token_type::block_end, "the end of the statement");
    const node_id id = body(ends);
    if (drop) next();
    return id;
  }

  // A body in its own frame.
  node_id framed(decltype(frame::type) type, names ends, std::uint8_t* uses = nullptr,
                 bool drop = true) {
    frames_.push_back({type});
    const node_id id = block_body(ends, drop);
    if (uses != nullptr) *uses |= frames_.back().uses;
    frames_.pop_back();
    return id;
  }

  void statement(std::vector<std::uint32_t>& items) {
    const nested guard(*this);
    if (!is(token_type::name)) unexpected("a tag name");
    const std::string tag = current().text;
    const std::uint32_t line = current().line;
    if (tag == "for") return items.push_back(for_loop());
    if (tag == "if") return items.push_back(branch());
    if (tag == "set") return items.push_back(assign());
    next();
    if (tag == "macro") return items.push_back(macro(line));
    if (tag == "call") return items.push_back(call_block(line));
    if (tag == "filter") return items.push_back(filter_block(line));
    if (tag == "with") return items.push_back(with(line));
    if (tag == "block") return items.push_back(named_block(line));
    if (tag == "print") return print(items, line);
    if (tag == "generation") {
      node n = make(node_type::generation, line);
      n.c = framed(frame::function, {"endgeneration"});
      return items.push_back(add(n));
    }
    if (tag == "break" || tag == "continue") {
      require_loop(line, tag);
      return items.push_back(
          add(make(tag == "break" ? node_type::break_loop : node_type::continue_loop, line)));
    }
    for (const std::string_view other : {"include", "import", "from", "extends", "autoescape"})
      if (tag == other)
        throw unsupported_error("chat template: line " + std::to_string(line) + ": the tag '" +
                                tag + "' is not supported");
    fail_at(line, "unknown tag '" + tag + "'");
  }

  void require_loop(std::uint32_t line, const std::string& tag) const {
    for (std::size_t i = frames_.size(); i-- > 0;) {
      if (frames_[i].type == frame::loop) return;
      if (frames_[i].type == frame::function) break;
    }
    fail_at(line, "'" + tag + "' outside of a loop");
  }

  void print(std::vector<std::uint32_t>& items, std::uint32_t line) {
    for (bool first = true; !is(token_type::block_end); first = false) {
      if (!first) expect_op(",");
      node out = make(node_type::output, line);
      out.a = expression();
      items.push_back(add(out));
    }
  }

  bool assignable(node_id id) const {
    const node& n = tree_.at(id);
    if (n.type == node_type::name || n.type == node_type::namespace_target) return true;
    if (n.type != node_type::tuple) return false;
    for (std::uint32_t i = 0; i < n.list.count; ++i)
      if (!assignable(tree_.item(n.list, i))) return false;
    return true;
  }

  bool names_loop(node_id id) const {
    const node& n = tree_.at(id);
    if (n.type == node_type::name) return tree_.names[n.name] == "loop";
    for (std::uint32_t i = 0; n.type == node_type::tuple && i < n.list.count; ++i)
      if (names_loop(tree_.item(n.list, i))) return true;
    return false;
  }

  node_id target(const char* end_name, bool with_namespace) {
    const std::uint32_t line = current().line;
    const std::vector<frame> before = frames_;  // a target is not a use of its names
    const node_id id = tuple_or_expression(true, end_name, false, true, with_namespace);
    frames_ = before;
    if (!assignable(id)) fail_at(line, "cannot assign to this expression");
    if (for_depth_ > 0 && names_loop(id))
      fail_at(line, "cannot assign to the special variable 'loop' in a loop");
    return id;
  }

  node_id for_loop() {
    node n = make(node_type::loop, next().line);
    ++for_depth_;
    n.a = target("in", false);
    expect_name("in");
    n.b = tuple_or_expression(false, "recursive");
    if (skip_name("if")) {
      frames_.push_back({frame::block});
      n.d = expression();
      frames_.pop_back();
    }
    if (skip_name("recursive")) n.flag |= loop_recursive | loop_uses_loop;
    n.c = framed(frame::loop, {"endfor", "else"}, &n.flag, false);
    if (next().text == "else") n.list = add_list(n, {framed(frame::block, {"endfor"})});
    --for_depth_;
    return add(n);
  }

  node_id branch() {
    node n = make(node_type::branch, next().line);
    std::vector<std::uint32_t> parts;
    frame f{frame::block};
    f.soft = true;
    while (true) {
      frames_.push_back(f);
      parts.push_back(tuple_or_expression(false));
      parts.push_back(block_body({"elif", "else", "endif"}, false));
      frames_.pop_back();
      const std::string tag = next().text;
      if (tag == "elif") continue;
      if (tag == "else") {
        frames_.push_back(f);
        n.c = block_body({"endif"});
        frames_.pop_back();
      }
      break;
    }
    n.list = add_list(n, parts);
    return add(n);
  }

  node_id assign() {
    node n = make(node_type::assign, next().line);
    n.a = target(nullptr, true);
    if (skip_op("=")) {
      n.b = tuple_or_expression();
      return add(n);
    }
    n.type = node_type::assign_block;
    if (is_op("|")) n.b = filter(no_node, false);
    n.c = framed(frame::block, {"endset"});
    return add(n);
  }

  void signature(node& n) {
    expect_op("(");
    std::vector<std::uint32_t> parameters, defaults;
    while (!is_op(")")) {
      if (!parameters.empty()) expect_op(",");
      const name_id name = tree_.intern(expect_identifier());
      for (const std::uint32_t other : parameters)
        if (other == name) error("a parameter is named twice");
      parameters.push_back(name);
      if (skip_op("=")) {
        defaults.push_back(expression());
      } else if (!defaults.empty()) {
        error("non-default argument follows default argument");
      }
    }
    expect_op(")");
    n.list = add_raw(parameters);
    n.list2 = add_list(n, defaults);
  }

  // The special variables that the parameters name themselves are ordinary ones.
  void declare_specials(node& n) {
    const std::uint32_t required = n.list.count - n.list2.count;
    for (std::uint32_t i = 0; i < n.list.count; ++i) {
      const std::string& name = tree_.names[tree_.item(n.list, i)];
      if (name == "kwargs") n.flag &= ~macro_uses_kwargs;
      if (name == "varargs") n.flag &= ~macro_uses_varargs;
      if (name == "caller" && (n.flag & macro_uses_caller) != 0 && i < required)
        fail_at(n.line, "the special argument 'caller' must be omitted or have a default");
    }
  }

  node_id macro(std::uint32_t line) {
    node n = make(node_type::macro, line);
    const std::string name = expect_identifier();
    if (for_depth_ > 0 && name == "loop") fail_at(line, "cannot assign to 'loop' in a loop");
    n.name = tree_.intern(name);
    frames_.push_back({frame::function});
    frames_.back().live = false;
    signature(n);
    frames_.pop_back();
    n.c = framed(frame::function, {"endmacro"}, &n.flag);
    declare_specials(n);
    return add(n);
  }

  node_id call_block(std::uint32_t line) {
    node n = make(node_type::call_block, line);
    if (is_op("(")) signature(n);
    n.a = expression();
    if (tree_.at(n.a).type != node_type::call) fail_at(line, "expected a call");
    n.c = framed(frame::function, {"endcall"}, &n.flag);
    declare_specials(n);
    return add(n);
  }

  node_id filter_block(std::uint32_t line) {
    node n = make(node_type::filter_block, line);
    n.b = filter(no_node, true);
    n.c = framed(frame::block, {"endfilter"});
    return add(n);
  }

  node_id with(std::uint32_t line) {
    node n = make(node_type::with, line);
    std::vector<std::uint32_t> parts;
    while (!is(token_type::block_end)) {
      if (!parts.empty()) expect_op(",");
      parts.push_back(target(nullptr, false));
      expect_op("=");
      parts.push_back(expression());
    }
    n.c = framed(frame::block, {"endwith"});
    n.list = add_list(n, parts);
    return add(n);
  }

  node_id named_block(std::uint32_t line) {
    node n = make(node_type::block, line);
    const std::string name = expect_identifier();
    n.name = tree_.intern(name);
    if (skip_name("scoped")) n.flag = 1;
    if (is_name("required"))
      throw unsupported_error("chat template: line " + std::to_string(line) +
                              ": required blocks are not supported");
    for (const auto& [other, id] : tree_.blocks)
      if (other == n.name) fail_at(line, "block '" + name + "' defined twice");
    tree_.blocks.emplace_back(n.name, no_node);
    n.c = framed(frame::function, {"endblock"});
    skip_name(name);
    return add(n);
  }

  std::vector<frame> frames_;
  int for_depth_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
