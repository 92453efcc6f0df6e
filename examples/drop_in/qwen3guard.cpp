// SPDX-License-Identifier: Apache-2.0
#define QWEN3GUARD_IMPLEMENTATION
#include "qwen3guard.hpp"
