// SPDX-License-Identifier: Apache-2.0
// The functions of vec_math.inl for every instruction set, once per translation unit: what a kernel
// that needs exp includes (including the .inl itself twice would define them twice).
#pragma once

#include "parlance/kernels/impl/vec.hpp"

#define PARLANCE_ISA_FILE "parlance/kernels/impl/vec_math.inl"
#include "parlance/kernels/impl/for_each_isa.inl"
