// SPDX-License-Identifier: Apache-2.0
// Parses expressions of the template language: Jinja2 3.1.6's grammar (jinja2/parser.py), operator
// precedence and all. Statements are in jinja_parser.hpp.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_parser_base.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

class expression_parser : public parser_base {
 protected:
  using parser_base::parser_base;

  node_id expression(bool with_condition = true) {
    const nested guard(*this);
    return with_condition ? conditional() : logic_or();
  }

  node_id conditional() {
    std::uint32_t line = current().line;
    const std::size_t unknown = unknown_.size();
    node_id left = logic_or();
    while (skip_name("if")) {
      node n = make(node_type::condition, line);
      n.b = left;
      n.a = logic_or();
      if (skip_name("else")) {
        const nested guard(*this);
        n.c = conditional();
      }
      left = add(n);
      unknown_.resize(unknown);
      line = current().line;
    }
    return left;
  }

  node_id pair(node_type type, node_id a, node_id b, std::uint32_t line,
               op_type op = op_type::add) {
    node n = make(type, line);
    n.a = a, n.b = b, n.op = op;
    return add(n);
  }

  node_id logic_or() {
    node_id left = logic_and();
    while (is_name("or")) {
      const std::uint32_t line = next().line;
      left = pair(node_type::logic_or, left, logic_and(), line);
    }
    return left;
  }

  node_id logic_and() {
    node_id left = logic_not();
    while (is_name("and")) {
      const std::uint32_t line = next().line;
      left = pair(node_type::logic_and, left, logic_not(), line);
    }
    return left;
  }

  node_id logic_not() {
    if (!is_name("not")) return compare();
    const nested guard(*this);
    node n = make(node_type::logic_not, next().line);
    n.a = logic_not();
    return add(n);
  }

  bool compare_op(op_type& op) {
    static constexpr std::pair<std::string_view, op_type> ops[] = {
        {"==", op_type::eq}, {"!=", op_type::ne}, {"<", op_type::lt},
        {"<=", op_type::le}, {">", op_type::gt},  {">=", op_type::ge}};
    for (const auto& [text, o] : ops)
      if (skip_op(text)) return op = o, true;
    if (skip_name("in")) return op = op_type::in, true;
    if (is_name("not") && ahead().type == token_type::name && ahead().text == "in") {
      next(), next();
      return op = op_type::not_in, true;
    }
    return false;
  }

  node_id compare() {
    node n = make(node_type::compare, current().line);
    n.a = sum();
    std::vector<std::uint32_t> rest;
    op_type op;
    while (compare_op(op)) {
      rest.push_back(static_cast<std::uint32_t>(op));
      rest.push_back(sum());
    }
    if (rest.empty()) return n.a;
    for (std::size_t i = 1; i < rest.size(); i += 2) deepen(n, rest[i]);
    n.list = add_raw(rest);
    return add(n);
  }

  node_id sum() {
    node_id left = concat();
    while (is_op("+") || is_op("-")) {
      const token& t = next();
      const op_type op = t.text == "+" ? op_type::add : op_type::sub;
      const std::uint32_t line = t.line;
      left = pair(node_type::binary, left, concat(), line, op);
    }
    return left;
  }

  node_id concat() {
    node n = make(node_type::concat, current().line);
    std::vector<std::uint32_t> items{product()};
    while (skip_op("~")) items.push_back(product());
    if (items.size() == 1) return items[0];
    n.list = add_list(n, items);
    return add(n);
  }

  node_id product() {
    static constexpr std::pair<std::string_view, op_type> ops[] = {
        {"*", op_type::mul}, {"/", op_type::div}, {"//", op_type::floordiv}, {"%", op_type::mod}};
    node_id left = power();
    for (bool found = true; found;) {
      found = false;
      for (const auto& [text, op] : ops) {
        if (!is_op(text)) continue;
        const std::uint32_t line = next().line;
        left = pair(node_type::binary, left, power(), line, op);
        found = true;
        break;
      }
    }
    return left;
  }

  node_id power() {
    node_id left = unary();
    while (is_op("**")) {
      const std::uint32_t line = next().line;
      left = pair(node_type::binary, left, unary(), line, op_type::pow);
    }
    return left;
  }

  node_id unary(bool with_filter = true) {
    const nested guard(*this);
    node_id result;
    if (is_op("-") || is_op("+")) {
      const token& t = next();
      node n = make(node_type::unary, t.line);
      n.op = t.text == "-" ? op_type::neg : op_type::pos;
      n.a = unary(false);
      result = add(n);
    } else {
      result = primary();
    }
    result = postfix(result);
    return with_filter ? filters_and_tests(result) : result;
  }

  node_id primary(bool with_namespace = false) {
    const std::uint32_t line = current().line;
    constant c;
    switch (current().type) {
      case token_type::name:
        return name_or_literal(with_namespace);
      case token_type::string:
        c.type = constant::text;
        while (is(token_type::string)) c.s += next().text;
        return add_constant(std::move(c), line);
      case token_type::integer:
        c.type = constant::whole, c.i = next().whole;
        return add_constant(std::move(c), line);
      case token_type::real:
        c.type = constant::real, c.d = next().real;
        return add_constant(std::move(c), line);
      default:
        break;
    }
    if (skip_op("(")) {
      const node_id inner = tuple_or_expression(true, nullptr, true);
      expect_op(")");
      return inner;
    }
    if (is_op("[")) return list();
    if (is_op("{")) return dict();
    unexpected("an expression");
  }

  node_id name_or_literal(bool with_namespace) {
    const token& t = next();
    const std::uint32_t line = t.line;
    const std::string name = t.text;
    constant c;
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      c.type = constant::boolean, c.b = name == "true" || name == "True";
      return add_constant(std::move(c), line);
    }
    if (name == "none" || name == "None") return add_constant(std::move(c), line);
    node n = make(node_type::name, line);
    n.name = tree_.intern(name);
    if (with_namespace && skip_op(".")) {
      n.type = node_type::namespace_target;
      n.index = tree_.intern(expect_identifier());
      return add(n);
    }
    on_name(name);
    return add(n);
  }

  // A tuple without or with parentheses, or the one expression in its place.
  node_id tuple_or_expression(bool with_condition = true, const char* end_name = nullptr,
                              bool parentheses = false, bool simple = false,
                              bool with_namespace = false) {
    node n = make(node_type::tuple, current().line);
    std::vector<std::uint32_t> items;
    bool is_tuple = false;
    while (true) {
      if (!items.empty()) expect_op(",");
      if (is(token_type::variable_end) || is(token_type::block_end) || is_op(")") ||
          (end_name != nullptr && is_name(end_name)))
        break;
      items.push_back(simple ? primary(with_namespace) : expression(with_condition));
      if (!is_op(",")) break;
      is_tuple = true;
    }
    if (!is_tuple) {
      if (!items.empty()) return items[0];
      if (!parentheses) unexpected("an expression");
    }
    n.list = add_list(n, items);
    return add(n);
  }

  node_id list() {
    node n = make(node_type::list, next().line);
    std::vector<std::uint32_t> items;
    while (!is_op("]")) {
      if (!items.empty()) expect_op(",");
      if (is_op("]")) break;
      items.push_back(expression());
    }
    expect_op("]");
    n.list = add_list(n, items);
    return add(n);
  }

  node_id dict() {
    node n = make(node_type::dict, next().line);
    std::vector<std::uint32_t> items;
    while (!is_op("}")) {
      if (!items.empty()) expect_op(",");
      if (is_op("}")) break;
      items.push_back(expression());
      expect_op(":");
      items.push_back(expression());
    }
    expect_op("}");
    n.list = add_list(n, items);
    return add(n);
  }

  node_id postfix(node_id n) {
    while (true) {
      if (is_op(".") || is_op("["))
        n = subscript(n);
      else if (is_op("("))
        n = call(n);
      else
        return n;
    }
  }

  node_id filters_and_tests(node_id n) {
    while (true) {
      if (is_op("|"))
        n = filter(n, false);
      else if (is_name("is"))
        n = test(n);
      else if (is_op("("))
        n = call(n);
      else
        return n;
    }
  }

  node_id subscript(node_id subject) {
    const token& t = next();
    node n = make(node_type::item, t.line);
    n.a = subject;
    if (t.text == ".") {
      const std::uint32_t line = current().line;
      if (is(token_type::name)) {
        n.type = node_type::attribute;
        n.name = tree_.intern(next().text);
        return add(n);
      }
      if (!is(token_type::integer)) unexpected("a name or a number");
      constant c;
      c.type = constant::whole, c.i = next().whole;
      n.b = add_constant(std::move(c), line);
      return add(n);
    }
    node several = make(node_type::tuple, t.line);
    std::vector<std::uint32_t> items;
    while (!is_op("]")) {
      if (!items.empty()) expect_op(",");
      items.push_back(subscribed());
    }
    expect_op("]");
    if (items.size() == 1) {
      n.b = items[0];
    } else {
      several.list = add_list(several, items);
      n.b = add(several);
    }
    return add(n);
  }

  node_id subscribed() {
    node n = make(node_type::slice, current().line);
    if (!is_op(":")) {
      const node_id single = expression();
      if (!is_op(":")) return single;
      n.b = single;
    }
    expect_op(":");
    const auto part = [&] {
      return is_op(":") || is_op("]") || is_op(",") ? no_node : expression();
    };
    n.c = part();
    if (skip_op(":")) n.d = part();
    return add(n);
  }

  // Arguments in parentheses; `owner` gets their depth.
  std::uint32_t call_arguments(node& owner) {
    const std::uint32_t line = current().line;
    expect_op("(");
    arguments args;
    std::vector<std::uint32_t> positional;
    const auto require = [&](bool ok) {
      if (!ok) fail_at(line, "invalid syntax for function call expression");
    };
    for (bool first = true; !is_op(")"); first = false) {
      if (!first) {
        expect_op(",");
        if (is_op(")")) break;
      }
      if (skip_op("*")) {
        require(args.star == no_node && args.double_star == no_node);
        deepen(owner, args.star = expression());
      } else if (skip_op("**")) {
        require(args.double_star == no_node);
        deepen(owner, args.double_star = expression());
      } else if (is(token_type::name) && ahead().type == token_type::op && ahead().text == "=") {
        require(args.double_star == no_node);
        const name_id key = tree_.intern(next().text);
        next();
        for (const auto& [other, _] : args.named)
          if (other == key) fail_at(line, "keyword argument repeated");
        args.named.emplace_back(key, expression());
        deepen(owner, args.named.back().second);
      } else {
        require(args.star == no_node && args.double_star == no_node && args.named.empty());
        positional.push_back(expression());
        deepen(owner, positional.back());
      }
    }
    expect_op(")");
    return store_arguments(std::move(args), positional);
  }

  std::uint32_t store_arguments(arguments args, const std::vector<std::uint32_t>& positional) {
    args.positional = add_raw(positional);
    tree_.calls.push_back(std::move(args));
    return static_cast<std::uint32_t>(tree_.calls.size() - 1);
  }

  node_id call(node_id function) {
    node n = make(node_type::call, current().line);
    n.a = function;
    n.index = call_arguments(n);
    return add(n);
  }

  name_id dotted_name() {
    std::string name = expect_identifier();
    while (skip_op(".")) name += "." + expect_identifier();
    return tree_.intern(name);
  }

  void note_unknown(const char* what, name_id name, std::uint32_t line, bool known) {
    if (!known && !soft())
      unknown_.emplace_back(std::string("no ") + what + " named '" + tree_.names[name] + "'", line);
  }

  // One or more filters; with `inline_start` the first has no bar before it.
  node_id filter(node_id subject, bool inline_start) {
    while (inline_start || is_op("|")) {
      const nested guard(*this);
      if (!inline_start) next();
      inline_start = false;
      node n = make(node_type::filter, current().line);
      n.a = subject;
      n.name = dotted_name();
      n.index = is_op("(") ? call_arguments(n) : store_arguments({}, {});
      note_unknown("filter", n.name, n.line, known_.is_filter(tree_.names[n.name]));
      subject = add(n);
    }
    return subject;
  }

  node_id test(node_id subject) {
    node n = make(node_type::test, next().line);
    n.a = subject;
    const bool negated = skip_name("not");
    n.name = dotted_name();
    const bool operand = is(token_type::name) || is(token_type::string) ||
                         is(token_type::integer) || is(token_type::real) || is_op("[") ||
                         is_op("{");
    if (is_op("(")) {
      n.index = call_arguments(n);
    } else if (operand && !is_name("else") && !is_name("or") && !is_name("and")) {
      if (is_name("is")) error("you cannot chain multiple tests with is");
      const node_id argument = postfix(primary());
      deepen(n, argument);
      n.index = store_arguments({}, {argument});
    } else {
      n.index = store_arguments({}, {});
    }
    note_unknown("test", n.name, n.line, known_.is_test(tree_.names[n.name]));
    const node_id id = add(n);
    if (!negated) return id;
    node no = make(node_type::logic_not, n.line);
    no.a = id;
    return add(no);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
