// SPDX-License-Identifier: Apache-2.0
// Python's arithmetic on template values: numbers, strings and lists; slices.
#pragma once

#include <cmath>
#include <string>
#include <utility>

#include "parlance/tokenizers/jinja_operators.hpp"
#include "parlance/tokenizers/jinja_printf.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

inline integer floor_div(integer a, integer b) {
  integer negated = 0;  // the one quotient that does not fit
  if (b == -1) {
    if (__builtin_sub_overflow(integer{0}, a, &negated)) fail("the integer is too large");
    return negated;
  }
  const integer q = a / b;
  return (a % b != 0) && ((a < 0) != (b < 0)) ? q - 1 : q;
}

inline double floor_mod(double a, double b) {
  double m = std::fmod(a, b);
  if (m != 0) {
    if ((b < 0) != (m < 0)) m += b;
    return m;
  }
  return std::copysign(0.0, b);
}

inline double floor_div(double a, double b) {
  const double m = floor_mod(a, b);
  const double q = (a - m) / b;
  if (q == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(q);
  return q - whole > 0.5 ? whole + 1 : whole;
}

inline value integer_power(integer base, integer exponent) {
  if (exponent < 0) {
    if (base == 0) fail("0 cannot be raised to a negative power");
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  if (base == 1 || exponent == 0) return 1;
  if (base == 0) return 0;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  if (exponent > 128) fail("the integer is too large");
  integer result = 1;
  for (; exponent > 0; --exponent)
    if (__builtin_mul_overflow(result, base, &result)) fail("the integer is too large");
  return result;
}

inline value real_power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(exponent) && exponent != std::floor(exponent))
    fail("complex numbers are not supported");
  const double r = std::pow(base, exponent);
  if (std::isinf(r) && std::isfinite(base) && std::isfinite(exponent)) fail("result too large");
  return r;
}

inline value number_operation(op_type op, const value& a, const value& b) {
  const bool whole = a.is_integral() && b.is_integral();
  if (op == op_type::div || op == op_type::floordiv || op == op_type::mod) {
    if (b.as_real() == 0) fail("division by zero");
    if (op == op_type::div) return a.as_real() / b.as_real();
    if (whole) {
      const integer q = floor_div(a.as_integer(), b.as_integer());
      return op == op_type::floordiv ? q : a.as_integer() - q * b.as_integer();
    }
    return op == op_type::floordiv ? floor_div(a.as_real(), b.as_real())
                                   : floor_mod(a.as_real(), b.as_real());
  }
  if (op == op_type::pow)
    return whole ? integer_power(a.as_integer(), b.as_integer())
                 : real_power(a.as_real(), b.as_real());
  if (!whole) {
    const double x = a.as_real(), y = b.as_real();
    return op == op_type::add ? x + y : op == op_type::sub ? x - y : x * y;
  }
  integer result = 0;
  const integer x = a.as_integer(), y = b.as_integer();
  const bool overflow = op == op_type::add   ? __builtin_add_overflow(x, y, &result)
                        : op == op_type::sub ? __builtin_sub_overflow(x, y, &result)
                                             : __builtin_mul_overflow(x, y, &result);
  if (overflow) fail("the integer is too large");
  return result;
}

inline value repeat(heap& h, const value& v, integer times) {
  times = std::max<integer>(times, 0);
  const bool text = v.is_string();
  const std::size_t size = text ? v.text().size() : v.items().size();
  if (size > 0 && times > static_cast<integer>((text ? max_text : max_items) / size))
    fail("a repeated value is too long");
  if (text) {
    std::string out;
    if (size > 0) out.reserve(size * static_cast<std::size_t>(times));
    for (integer i = 0; size > 0 && i < times; ++i) out += v.text();
    return h.str(std::move(out), v.safe());
  }
  values out;
  for (integer i = 0; size > 0 && i < times; ++i)
    out.insert(out.end(), v.items().begin(), v.items().end());
  return v.is(kind::list) ? h.list(std::move(out)) : h.tuple(std::move(out));
}

inline value add_strings(heap& h, const value& a, const value& b) {
  const bool safe = a.safe() || b.safe();
  const auto text = [&](const value& v) {
    return safe && !v.safe() ? escape_html(v.text()) : v.text();
  };
  require_text_size(a.text().size() + b.text().size());
  if (!safe) return h.str(a.text() + b.text());
  return h.str(text(a) + text(b), true);
}

inline value binary(heap& h, op_type op, const value& a, const value& b) {
  static constexpr const char* names[] = {"+", "-", "*", "/", "//", "%", "**"};
  if (a.is_number() && b.is_number()) return number_operation(op, a, b);
  if (op == op_type::add) {
    if (a.is_string() && b.is_string()) return add_strings(h, a, b);
    if (a.is_sequence() && a.type() == b.type()) {
      require_list_size(a.items().size() + b.items().size());
      values out = a.items();
      out.insert(out.end(), b.items().begin(), b.items().end());
      return a.is(kind::list) ? h.list(std::move(out)) : h.tuple(std::move(out));
    }
  }
  if (op == op_type::mul) {
    if ((a.is_string() || a.is_sequence()) && b.is_integral()) return repeat(h, a, b.as_integer());
    if ((b.is_string() || b.is_sequence()) && a.is_integral()) return repeat(h, b, a.as_integer());
  }
  if (op == op_type::mod && a.is_string()) return h.str(percent_formatter(h, a, b).run(), a.safe());
  fail_operands(names[static_cast<int>(op)], a, b);
}

inline value unary(op_type op, const value& v) {
  if (v.is_undefined()) fail_undefined(v);
  if (!v.is_number())
    fail(std::string("bad operand type for a sign: '") + heap::type_name(v) + "'");
  if (v.is(kind::real)) return op == op_type::neg ? -v.as_real() : v.as_real();
  integer result = v.as_integer();
  if (op == op_type::neg && __builtin_sub_overflow(integer{0}, result, &result))
    fail("the integer is too large");
  return result;
}

struct slice_bounds {
  std::int64_t start, count, step;
};

// slice.indices() of Python.
inline slice_bounds slice_indices(const value& start, const value& stop, const value& step,
                                  std::int64_t length) {
  constexpr integer far = integer{1} << 62;
  const auto number = [&](const value& v, integer missing) {
    if (v.is_none()) return missing;
    if (v.is_undefined()) fail("slice indices must be integers or None, not Undefined");
    if (!v.is_integral()) fail("slice indices must be integers or None");
    return std::min(std::max(v.as_integer(), -far), far);
  };
  const integer stride = number(step, 1);
  if (stride == 0) fail("slice step cannot be zero");
  const auto clamp = [&](integer i) {
    if (i < 0) i += length;
    const integer low = stride < 0 ? -1 : 0, high = stride < 0 ? length - 1 : length;
    return std::min(std::max(i, low), high);
  };
  const integer first = start.is_none() ? (stride < 0 ? length - 1 : 0) : clamp(number(start, 0));
  const integer last = stop.is_none() ? (stride < 0 ? -1 : length) : clamp(number(stop, 0));
  const integer span = stride < 0 ? first - last : last - first;
  const integer width = stride < 0 ? -stride : stride;
  const integer count = span <= 0 ? 0 : (span + width - 1) / width;
  return {static_cast<std::int64_t>(first), static_cast<std::int64_t>(count),
          static_cast<std::int64_t>(stride)};
}

inline value slice_text(heap& h, const value& v, const value& start, const value& stop,
                        const value& step) {
  const std::string& text = v.text();
  const bool ascii = is_ascii(text);
  const std::u32string points = ascii ? std::u32string() : code_points(text);
  const std::size_t length = ascii ? text.size() : points.size();
  const slice_bounds b = slice_indices(start, stop, step, static_cast<std::int64_t>(length));
  h.read(v);
  if (ascii && b.step == 1)
    return h.str(text.substr(static_cast<std::size_t>(b.start), static_cast<std::size_t>(b.count)),
                 v.safe());
  std::string out;
  for (std::int64_t i = 0; i < b.count; ++i) {
    const auto at = static_cast<std::size_t>(b.start + i * b.step);
    if (ascii)
      out += text[at];
    else
      utf8_append(out, points[at]);
  }
  return h.str(std::move(out), v.safe());
}

inline value slice(heap& h, const value& v, const value& start, const value& stop,
                   const value& step) {
  if (v.is_undefined()) fail_undefined(v);
  if (v.is_string()) return slice_text(h, v, start, stop, step);
  if (v.is_sequence()) {
    const values& items = v.items();
    const slice_bounds b =
        slice_indices(start, stop, step, static_cast<std::int64_t>(items.size()));
    values out;
    for (std::int64_t i = 0; i < b.count; ++i)
      out.push_back(items[static_cast<std::size_t>(b.start + i * b.step)]);
    return v.is(kind::list) ? h.list(std::move(out)) : h.tuple(std::move(out));
  }
  if (v.is(kind::range)) {
    const auto& r = v.as<range_object>();
    const slice_bounds b = slice_indices(start, stop, step, r.size());
    const integer first = integer{r.start} + integer{b.start} * r.step;
    const integer stride = integer{b.step} * r.step;
    const integer end = integer{r.start} + (integer{b.start} + integer{b.count} * b.step) * r.step;
    const auto narrow = [](integer i) {
      if (i > INT64_MAX || i < INT64_MIN) fail("the range is too large");
      return static_cast<std::int64_t>(i);
    };
    return h.make<range_object>(kind::range, narrow(first), narrow(end), narrow(stride));
  }
  fail(std::string("'") + heap::type_name(v) + "' object cannot be sliced");
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
