// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// SamplingOptions say how the next token is drawn.
type SamplingOptions struct {
	Temperature float32 // 0: always the most probable token
	TopK        int     // 0: all
	TopP        float32 // in (0, 1]
	Seed        uint64
}

// DefaultSampling are the library's defaults.
func DefaultSampling() SamplingOptions {
	var raw C.q3g_sampling_options
	C.q3g_sampling_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	return SamplingOptions{float32(raw.temperature), int(raw.top_k), float32(raw.top_p), uint64(raw.seed)}
}

// Generator is a causal checkpoint writing text. One goroutine at a time.
type Generator struct {
	handle *C.q3g_generator
	cancel *Cancel
}

// OpenGenerator opens a generator; StatusUnsupportedModel for a Stream checkpoint.
func (g *Guard) OpenGenerator(options SamplingOptions) (*Generator, error) {
	defer runtime.KeepAlive(g)
	flag, err := NewCancel()
	if err != nil {
		return nil, err
	}
	raw := C.q3g_sampling_options{
		struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_sampling_options{})), temperature: C.float(options.Temperature),
		top_k: C.int32_t(options.TopK), top_p: C.float(options.TopP), seed: C.uint64_t(options.Seed), cancel: flag.raw(),
	}
	out, slot := &Generator{cancel: flag}, newSlot()
	if err := errorOf(C.q3g_generator_open(g.handle, &raw, &out.handle, &slot), &slot); err != nil {
		flag.Close()
		return nil, err
	}
	runtime.SetFinalizer(out, (*Generator).Close)
	return out, nil
}

// Close frees the handle.
func (w *Generator) Close() {
	C.q3g_generator_free(w.handle)
	w.handle = nil
	w.cancel.Close()
	runtime.SetFinalizer(w, nil)
}

// SetConversation sets what was said, the last message the user's, and opens the answer.
func (w *Generator) SetConversation(messages []Message) error {
	defer runtime.KeepAlive(w)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	slot := newSlot()
	return errorOf(C.q3g_generator_set_conversation(w.handle, p, n, &slot), &slot)
}

// SetTokens is the same as tokens.
func (w *Generator) SetTokens(ids []int32) error {
	defer runtime.KeepAlive(w)
	p, n := idsOf(ids)
	slot := newSlot()
	return errorOf(C.q3g_generator_set_tokens(w.handle, p, n, &slot), &slot)
}

// Next draws a token; isEnd when it ends the answer.
func (w *Generator) Next(ctx context.Context) (id int32, isEnd bool, err error) {
	defer runtime.KeepAlive(w)
	if isCancellable(ctx) {
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		stop := onDone(ctx, w.cancel)
		defer w.cancel.Reset()
		defer stop()
	}
	var out, end C.int32_t
	slot := newSlot()
	err = withContext(ctx, errorOf(C.q3g_generator_next(w.handle, &out, &end, &slot), &slot))
	return int32(out), end != 0, err
}

// Position is the number of tokens so far.
func (w *Generator) Position() (int, error) {
	defer runtime.KeepAlive(w)
	var out C.int32_t
	slot := newSlot()
	err := errorOf(C.q3g_generator_position(w.handle, &out, &slot), &slot)
	return int(out), err
}

// Rewind takes back all tokens from position on, but not the random numbers.
func (w *Generator) Rewind(position int) error {
	defer runtime.KeepAlive(w)
	slot := newSlot()
	return errorOf(C.q3g_generator_rewind(w.handle, C.int32_t(position), &slot), &slot)
}
