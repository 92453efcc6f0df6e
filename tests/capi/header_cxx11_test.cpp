// SPDX-License-Identifier: Apache-2.0
// The header alone, and twice, in C++11.
#include <qwen3guard.h>
// Again: the guard holds.
#include <qwen3guard.h>

static_assert(noexcept(q3g_guard_free(nullptr)), "no exception leaves the C interface");

int main() { return q3g_abi_version() == Q3G_ABI_VERSION ? 0 : 1; }
