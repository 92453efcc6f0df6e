// SPDX-License-Identifier: Apache-2.0

// Package qwen3guard judges prompts and responses by the Qwen3Guard safety-moderation models, on a CPU.
//
// It links libqwen3guard_c, found by pkg-config; with the build tag qwen3guard_env the flags come from CGO_CFLAGS and
// CGO_LDFLAGS alone.
//
// Guard, Tokenizer, Batch and Cancel may be used by any number of goroutines at once; Stream, StreamingDecoder and
// Generator by one at a time. Close frees what an object holds, in any order; an object that is not closed is freed
// when it is collected. A closed object returns errors with StatusBadHandle.
//
// Calls with a context stop when it is done and return an error that is both the context's and a *Error with
// StatusCancelled.
package qwen3guard
