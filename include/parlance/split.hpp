// SPDX-License-Identifier: Apache-2.0
// For projects that define PARLANCE_SPLIT: include this in exactly one unit, before any other header
// of the library. That unit compiles the large bodies, the others only see declarations.
#pragma once

#if !defined(PARLANCE_SPLIT)
#error "parlance/split.hpp: define PARLANCE_SPLIT for the whole project, or do not include this"
#endif
#if defined(PARLANCE_BODIES)
#error "parlance/split.hpp: include it before every other header of the library"
#endif
#define PARLANCE_SPLIT_UNIT 1

#include "parlance/parlance.hpp"
