// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package qwen3guard

// Without cgo nothing of this package is there; the compiler then says why.
var _ = qwen3guard_needs_cgo_set_CGO_ENABLED_to_1_and_install_a_C_compiler
