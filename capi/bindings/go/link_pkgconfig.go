// SPDX-License-Identifier: Apache-2.0

//go:build !qwen3guard_env

package qwen3guard

// #cgo pkg-config: qwen3guard_c
import "C"
