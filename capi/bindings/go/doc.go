// SPDX-License-Identifier: Apache-2.0

// Package qwen3guard judges prompts and responses by the Qwen3Guard safety-moderation models, on a CPU.
//
// It links libqwen3guard_c, found by pkg-config; with the build tag qwen3guard_env the flags come from CGO_CFLAGS and
// CGO_LDFLAGS alone.
//
// Guard, Tokenizer, Policy and Batch may be used by any number of goroutines at once; Stream, StreamingDecoder and Generator by
// one at a time: a call of a second one fails with StatusInvalidArgument.
//
// Close may come at any time and in any order, also during a call, which goes on to its end. Later calls fail with
// StatusBadHandle. What is not closed is freed when it is collected.
//
// A call with a context stops when the context is done, and returns an error that is both the context's and a *Error with
// StatusCancelled. A nil context is never done.
//
// Functions that the library calls, for progress, logs and visits, run on the calling goroutine. They may panic: the panic
// goes on in the caller's frame. They must not end the goroutine (runtime.Goexit, and FailNow of a test).
package qwen3guard
