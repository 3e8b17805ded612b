// SPDX-License-Identifier: Apache-2.0
#include "parlance/parlance.hpp"

int other_unit() { return parlance::generation::option_names().empty() ? 1 : 0; }
