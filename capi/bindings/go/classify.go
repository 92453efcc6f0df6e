// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"
)

// Threshold is a number in [0, 1] that may be left out.
type Threshold struct {
	Value float32
	Set   bool
}

// At is a threshold that is set.
func At(value float32) Threshold { return Threshold{value, true} }

// ClassifyOptions says how a verdict is reached.
type ClassifyOptions struct {
	Greedy bool // the published way: generate, then parse; Gen only
	Loose  bool // Controversial counts as safe, for the action
	// Policy makes the severity of the verdicts of tokens; Stream only. Its Loose and its release of flags change nothing
	// here. nil: the published rule.
	Policy         *Policy
	Thinking       Thinking // what becomes of the response's thinking
	ReplaceUTF8    bool     // what is not UTF-8 is judged as U+FFFD; else it is an error
	RejectDropped  bool     // messages that the Gen template leaves out are an error; else the verdict names them
	FlagThreshold  Threshold
	BlockThreshold Threshold
	Progress       Progress // of ClassifyBatch, in conversations
}

// toC fills the C struct, which points to what the pinner holds.
func (o *ClassifyOptions) toC(raw *C.q3g_classify_options, pinner *runtime.Pinner) error {
	C.q3g_classify_options_init(raw, C.size_t(unsafe.Sizeof(*raw)))
	if o == nil {
		return nil
	}
	var a arguments
	raw.decoder, raw.mode, raw.invalid_utf8 = cbool(o.Greedy), cbool(o.Loose), cbool(o.ReplaceUTF8)
	raw.dropped_messages, raw.thinking = cbool(o.RejectDropped), C.int32_t(o.Thinking)
	if o.Policy != nil {
		policy := o.Policy.toC(&a)
		pinner.Pin(&policy)
		raw.policy = &policy
	}
	raw.flag_threshold = a.threshold("ClassifyOptions.FlagThreshold", o.FlagThreshold)
	raw.block_threshold = a.threshold("ClassifyOptions.BlockThreshold", o.BlockThreshold)
	return a.err
}

// verdictTextBytes is the room for a verdict's text at first. Constrained decoding writes at most 256 bytes; greedy
// decoding 128 tokens of any length. A variable for tests.
var verdictTextBytes = 1024

// verdictPlace is room for a verdict and its text.
type verdictPlace struct {
	raw  C.q3g_verdict
	text []byte
}

// newVerdictPlace makes a place whose text the pinner holds.
func newVerdictPlace(room int, pinner *runtime.Pinner) *verdictPlace {
	p := &verdictPlace{text: make([]byte, room)}
	pinner.Pin(&p.text[0])
	p.raw.struct_size = C.uint32_t(unsafe.Sizeof(p.raw))
	p.raw.text, p.raw.text_capacity = (*C.char)(unsafe.Pointer(&p.text[0])), C.size_t(room)
	return p
}

// needs is how many bytes of text there are when they did not fit, else 0.
func needs(raw *C.q3g_verdict) int {
	if raw.text_bytes > raw.text_capacity {
		return int(raw.text_bytes)
	}
	return 0
}

func verdictOf(raw *C.q3g_verdict, text []byte) Verdict {
	out := Verdict{
		Severity: Severity(raw.severity), Action: Action(raw.action),
		Probabilities: probabilitiesOf(raw.p_safe, raw.p_controversial, raw.p_unsafe), Position: int(raw.position),
		HasRefusal: raw.has_refusal != 0, Refusal: raw.refusal != 0, RefusalProbability: float32(raw.refusal_probability),
		PromptTokens: int(raw.prompt_tokens), CachedTokens: int(raw.cached_tokens),
		GeneratedTokens: int(raw.generated_tokens), LatencyMs: float64(raw.latency_ms),
	}
	for i := 0; i < int(raw.n_categories) && i < len(raw.categories); i++ {
		out.Categories = append(out.Categories,
			CategoryScore{Category(raw.categories[i]), float32(raw.category_probabilities[i])})
	}
	out.NDroppedMessages = int(raw.n_dropped_messages)
	for i := 0; i < out.NDroppedMessages && i < len(raw.dropped_messages); i++ {
		out.DroppedMessages = append(out.DroppedMessages, int(raw.dropped_messages[i]))
	}
	if needs(raw) == 0 {
		out.Text = string(text[:raw.text_bytes])
	}
	return out
}

// messagesToC points to copies of the texts, which the pinner holds: the strings themselves may be constants, and Go 1.21
// cannot pin these.
func messagesToC(messages []Message, pinner *runtime.Pinner) (*C.q3g_message, C.size_t) {
	size := 0
	for _, message := range messages {
		size += len(message.Text)
	}
	texts := make([]byte, size)
	if size > 0 {
		pinner.Pin(&texts[0])
	}
	out := make([]C.q3g_message, len(messages))
	for i, message := range messages {
		out[i].struct_size = C.uint32_t(unsafe.Sizeof(out[i]))
		out[i].role = C.int32_t(message.Role)
		if n := copy(texts, message.Text); n > 0 {
			out[i].text, out[i].text_bytes = (*C.char)(unsafe.Pointer(&texts[0])), C.size_t(n)
			texts = texts[n:]
		}
	}
	return unsafe.SliceData(out), C.size_t(len(out))
}

// judge runs one classification, stopped by the context; and again when the verdict's text needs more room.
func (g *Guard) judge(ctx context.Context, options *ClassifyOptions,
	call func(*C.q3g_classify_options, *C.q3g_verdict, *C.q3g_error) C.q3g_status) (out Verdict, err error) {
	var raw C.q3g_classify_options
	var held runtime.Pinner
	defer held.Unpin()
	if err := options.toC(&raw, &held); err != nil {
		return out, err
	}
	if err := g.life.enter(); err != nil {
		return out, err
	}
	defer g.life.leave()
	err = cancellable(ctx, func(flag *C.q3g_cancel) error {
		raw.cancel = flag
		for room := verdictTextBytes; room > 0; {
			var pinner runtime.Pinner
			place, slot := newVerdictPlace(room, &pinner), newSlot()
			err := errorOf(call(&raw, &place.raw, &slot), &slot)
			pinner.Unpin()
			if err != nil {
				return err
			}
			out, room = verdictOf(&place.raw, place.text), needs(&place.raw)
		}
		return nil
	})
	if err != nil {
		return Verdict{}, err
	}
	return out, nil
}

// ClassifyPrompt judges a user's prompt. options may be nil.
func (g *Guard) ClassifyPrompt(ctx context.Context, prompt string, options *ClassifyOptions) (Verdict, error) {
	return g.judge(ctx, options, func(o *C.q3g_classify_options, out *C.q3g_verdict, err *C.q3g_error) C.q3g_status {
		p, n := text(prompt)
		return C.q3g_guard_classify_prompt(g.handle, p, n, o, out, err)
	})
}

// ClassifyResponse judges the response to a prompt. options may be nil.
func (g *Guard) ClassifyResponse(ctx context.Context, prompt, response string, options *ClassifyOptions) (Verdict, error) {
	return g.judge(ctx, options, func(o *C.q3g_classify_options, out *C.q3g_verdict, err *C.q3g_error) C.q3g_status {
		p, n := text(prompt)
		r, m := text(response)
		return C.q3g_guard_classify_response(g.handle, p, n, r, m, o, out, err)
	})
}

// Classify judges the last message of a conversation. options may be nil.
func (g *Guard) Classify(ctx context.Context, messages []Message, options *ClassifyOptions) (Verdict, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	return g.judge(ctx, options, func(o *C.q3g_classify_options, out *C.q3g_verdict, err *C.q3g_error) C.q3g_status {
		return C.q3g_guard_classify(g.handle, p, n, o, out, err)
	})
}

// BatchVerdict is the verdict, or the error, of one conversation. With an error the verdict is the zero value: not judged.
type BatchVerdict struct {
	Verdict Verdict
	Err     error
}

// ClassifyBatch judges several conversations together. One that fails does not disturb the others. options may be nil.
//
// It always returns one BatchVerdict for each conversation, and each one that was not judged has its own Err. The call
// returns an error, too, when it could not be made, or when the context or Progress stopped it: what was judged before
// keeps its verdict.
func (g *Guard) ClassifyBatch(ctx context.Context, conversations [][]Message, options *ClassifyOptions) ([]BatchVerdict, error) {
	results := make([]BatchVerdict, len(conversations))
	if err := g.classifyBatch(ctx, conversations, options, results); err != nil {
		for i := range results {
			results[i] = BatchVerdict{Err: err}
		}
		return results, err
	}
	for _, result := range results {
		if errors.Is(result.Err, StatusCancelled) {
			return results, result.Err
		}
	}
	return results, nil
}

// classifyBatch fails when nothing was judged.
func (g *Guard) classifyBatch(ctx context.Context, conversations [][]Message, options *ClassifyOptions, results []BatchVerdict) error {
	var raw C.q3g_classify_options
	var pinner runtime.Pinner
	defer pinner.Unpin()
	if err := options.toC(&raw, &pinner); err != nil {
		return err
	}
	if err := g.life.enter(); err != nil {
		return err
	}
	defer g.life.leave()
	n := len(conversations)
	if n == 0 {
		return nil
	}
	in, out, errs := make([]C.q3g_conversation, n), make([]C.q3g_verdict, n), make([]C.q3g_error, n)
	room := verdictTextBytes
	texts := make([]byte, n*room)
	pinner.Pin(&texts[0])
	for i, conversation := range conversations {
		in[i].struct_size = C.uint32_t(unsafe.Sizeof(in[i]))
		if len(conversation) > 0 {
			in[i].messages, in[i].n_messages = messagesToC(conversation, &pinner)
			pinner.Pin(in[i].messages)
		}
		out[i].struct_size = C.uint32_t(unsafe.Sizeof(out[i]))
		out[i].text, out[i].text_capacity = (*C.char)(unsafe.Pointer(&texts[i*room])), C.size_t(room)
		errs[i] = newSlot()
	}
	err := cancellable(ctx, func(flag *C.q3g_cancel) error {
		raw.cancel = flag
		slot := newSlot()
		var status C.q3g_status
		withProgress(options.progress(), func(progress C.q3g_progress_fn, user unsafe.Pointer) {
			raw.progress, raw.progress_user = progress, user
			status = C.q3g_guard_classify_batch(g.handle, &in[0], C.size_t(n), &raw, &out[0], &errs[0], &slot)
		})
		for i := range results {
			results[i].Err = because(ctx, flag, errorOf(out[i].status, &errs[i]))
		}
		return errorOf(status, &slot)
	})
	if err != nil {
		return err
	}
	for i := range results {
		if results[i].Err == nil && needs(&out[i]) > 0 {
			results[i].Verdict, results[i].Err = g.Classify(ctx, conversations[i], options)
		} else if results[i].Err == nil {
			results[i].Verdict = verdictOf(&out[i], texts[i*room:(i+1)*room])
		}
	}
	return nil
}

func (o *ClassifyOptions) progress() Progress {
	if o == nil {
		return nil
	}
	return o.Progress
}

// DecideAction is what a host should do, by the mode and thresholds of the options, which may be nil; NoAction when nothing
// was judged, and with an error.
func DecideAction(options *ClassifyOptions, severity Severity, probabilities Probabilities) (Action, error) {
	var raw C.q3g_classify_options
	var pinner runtime.Pinner
	defer pinner.Unpin()
	if err := options.toC(&raw, &pinner); err != nil {
		return NoAction, err
	}
	var out C.int32_t
	slot := newSlot()
	safe, controversial, harmful := probabilities.toC()
	err := errorOf(C.q3g_decide_action(&raw, C.int32_t(severity), safe, controversial, harmful, &out, &slot), &slot)
	return Action(out), err
}
