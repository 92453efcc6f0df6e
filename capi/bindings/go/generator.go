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
	life   life
	handle *C.q3g_generator
	flag   *C.q3g_cancel
}

// OpenGenerator opens a generator; StatusUnsupportedModel for a Stream checkpoint.
func (g *Guard) OpenGenerator(options SamplingOptions) (*Generator, error) {
	if err := g.life.enter(); err != nil {
		return nil, err
	}
	defer g.life.leave()
	var a arguments
	raw := C.q3g_sampling_options{
		struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_sampling_options{})), temperature: C.float(options.Temperature),
		top_k: a.int32("SamplingOptions.TopK", options.TopK), top_p: C.float(options.TopP), seed: C.uint64_t(options.Seed),
	}
	if a.err != nil {
		return nil, a.err
	}
	flag, err := newFlag()
	if err != nil {
		return nil, err
	}
	raw.cancel = flag
	var handle *C.q3g_generator
	slot := newSlot()
	if err := errorOf(C.q3g_generator_open(g.handle, &raw, &handle, &slot), &slot); err != nil {
		C.q3g_cancel_free(flag)
		return nil, err
	}
	out := &Generator{handle: handle, flag: flag, life: life{what: "generator", free: func() {
		C.q3g_generator_free(handle)
		C.q3g_cancel_free(flag)
	}}}
	runtime.SetFinalizer(out, (*Generator).Close)
	return out, nil
}

// Close frees the generator, once; a call that runs ends first.
func (w *Generator) Close() {
	w.life.close()
	runtime.SetFinalizer(w, nil)
}

func (w *Generator) run(call func(err *C.q3g_error) C.q3g_status) error {
	if err := w.life.enterAlone(); err != nil {
		return err
	}
	defer w.life.leave()
	slot := newSlot()
	return errorOf(call(&slot), &slot)
}

// SetConversation sets what was said, the last message the user's, and opens the answer.
func (w *Generator) SetConversation(messages []Message) error {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	return w.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_generator_set_conversation(w.handle, p, n, err) })
}

// SetTokens sets what was said and opens the answer by tokens.
func (w *Generator) SetTokens(ids []int32) error {
	return w.run(func(err *C.q3g_error) C.q3g_status {
		p, n := idsOf(ids)
		return C.q3g_generator_set_tokens(w.handle, p, n, err)
	})
}

// Next draws a token; isEnd when it ends the answer.
func (w *Generator) Next(ctx context.Context) (id int32, isEnd bool, err error) {
	if err := w.life.enterAlone(); err != nil {
		return 0, false, err
	}
	defer w.life.leave()
	var out, end C.int32_t
	next := func() error {
		slot := newSlot()
		return errorOf(C.q3g_generator_next(w.handle, &out, &end, &slot), &slot)
	}
	if !isCancellable(ctx) {
		err = next()
	} else if err = doneBefore(ctx); err == nil {
		err = raising(ctx, w.flag, next)
	}
	return int32(out), end != 0, err
}

// Position is the number of tokens so far.
func (w *Generator) Position() (int, error) {
	var out C.int32_t
	err := w.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_generator_position(w.handle, &out, err) })
	return int(out), err
}

// Rewind takes back all tokens from position on, but not the random numbers.
func (w *Generator) Rewind(position int) error {
	var a arguments
	to := a.int32("position", position)
	if a.err != nil {
		return a.err
	}
	return w.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_generator_rewind(w.handle, to, err) })
}
