// SPDX-License-Identifier: Apache-2.0
// The header alone, and twice, in C11.
#include <qwen3guard.h>
// Again: the guard holds.
#include <qwen3guard.h>

int main(void) { return q3g_abi_version() == Q3G_ABI_VERSION ? 0 : 1; }
