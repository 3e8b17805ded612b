// SPDX-License-Identifier: Apache-2.0
// One of two units that include the umbrella: they must link together.
#include "parlance/parlance.hpp"

int other_unit();

int main() { return parlance::models::causal_lm_families().empty() ? 1 : other_unit(); }
