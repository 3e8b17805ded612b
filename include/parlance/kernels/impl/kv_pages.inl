// SPDX-License-Identifier: Apache-2.0
// Appending rows to the cache, compiled once per instruction set (PARLANCE_ISA names the namespace;
// no include guard on purpose). Conversion is by vectors, the scatter into a key page by elements.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

template <class E>
void kv_append_rows(const detail::kv_rows<E>& rows) {
  const std::int64_t d = rows.head_dim;
  for (std::int64_t i = 0; i < rows.n; ++i) {
    const std::int64_t at = rows.pos + i;
    E* page = rows.k + (at - at % kv_page) * d + at % kv_page;
    E* row = rows.v + at * d;
    const float* k = rows.k_rows + i * rows.ldk;
    const float* v = rows.v_rows + i * rows.ldv;
    std::int64_t c = 0;
    for (; c + vf::lanes <= d; c += vf::lanes) {
      E part[vf::lanes];
      store(part, load(k + c));
      for (int lane = 0; lane < vf::lanes; ++lane) page[(c + lane) * kv_page] = part[lane];
      store(row + c, load(v + c));
    }
    for (; c < d; ++c) {
      page[c * kv_page] = E(k[c]);
      row[c] = E(v[c]);
    }
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
