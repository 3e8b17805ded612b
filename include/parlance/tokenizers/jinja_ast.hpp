// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a template: nodes in one vector, addressed by index, names and constants in
// side tables. Immutable after parsing, so that several threads may render it at once.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/tokenizers/jinja_value.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

using node_id = std::uint32_t;
using name_id = std::uint32_t;
inline constexpr node_id no_node = 0xFFFFFFFF;
inline constexpr std::uint32_t no_index = 0xFFFFFFFF;

enum class node_type : std::uint8_t {
  // expressions
  constant,          // index: constant
  name,              // name
  tuple,             // list: items
  list,              // list: items
  dict,              // list: key, value, key, value, ...
  attribute,         // a.name
  item,              // a[b]
  slice,             // b:c:d, only as b of an item
  call,              // a(arguments)
  filter,            // a|name(arguments); a is no_node at the head of a filter block
  test,              // a is name(arguments)
  unary,             // op a
  binary,            // a op b
  logic_and,         // a and b
  logic_or,          // a or b
  logic_not,         // not a
  compare,           // a, then list: op, operand, op, operand, ...
  concat,            // list: operands of ~
  condition,         // b if a else c
  namespace_target,  // name.index(name), only as a target
  // statements
  data,          // index: constant
  output,        // a
  branch,        // list: test, body, test, body, ...; c: else block
  loop,          // for a in b if d; body c, else list[0]; flag: loop_flags
  assign,        // a = b
  assign_block,  // a = body c, through the filters b
  macro,         // name; list: parameters (targets); list2: defaults; c body; flag: macro_flags
  call_block,    // like macro, and a: the call
  filter_block,  // b: filters; c: body
  with,          // list: target, value, ...; c body
  block,         // name; c body; flag: scoped
  scope,         // c body
  generation,    // c body
  body,          // list: statements
  break_loop,
  continue_loop,
};

enum : std::uint8_t { loop_uses_loop = 1, loop_recursive = 2 };
enum : std::uint8_t { macro_uses_caller = 1, macro_uses_kwargs = 2, macro_uses_varargs = 4 };

enum class op_type : std::uint8_t {
  add,
  sub,
  mul,
  div,
  floordiv,
  mod,
  pow,
  pos,
  neg,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  in,
  not_in,
};

struct span {
  std::uint32_t first = 0, count = 0;
};

struct node {
  node_type type;
  op_type op = op_type::add;
  std::uint8_t flag = 0;
  std::uint16_t depth = 0;
  std::uint32_t line = 0;
  node_id a = no_node, b = no_node, c = no_node, d = no_node;
  name_id name = no_index;
  std::uint32_t index = no_index;  // of a constant, or of the arguments of a call
  span list, list2;
};

struct arguments {
  span positional;
  std::vector<std::pair<name_id, node_id>> named;
  node_id star = no_node, double_star = no_node;
};

// A constant of the source; each render makes its own value from it.
struct constant {
  enum { null, boolean, whole, real, text } type = null;
  bool b = false;
  integer i = 0;
  double d = 0;
  std::string s;
};

struct tree {
  std::vector<node> nodes;
  std::vector<std::uint32_t> lists;
  std::vector<arguments> calls;
  std::vector<constant> constants;
  std::vector<std::string> names;
  std::unordered_map<std::string, name_id> name_index;
  std::vector<std::pair<name_id, node_id>> blocks;
  node_id root = no_node;

  const node& at(node_id id) const { return nodes[id]; }
  std::uint32_t item(span s, std::uint32_t i) const { return lists[s.first + i]; }
  name_id intern(const std::string& name) {
    const auto [it, added] = name_index.emplace(name, static_cast<name_id>(names.size()));
    if (added) names.push_back(name);
    return it->second;
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
