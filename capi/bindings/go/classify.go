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

// Optional is a choice of options that is left to the policy when it is not set: the zero value.
type Optional[T any] struct {
	Value T
	Set   bool
}

// Some is a choice that is made, whatever the policy says.
func Some[T any](value T) Optional[T] { return Optional[T]{value, true} }

// ClassifyOptions says how a verdict is reached.
type ClassifyOptions struct {
	Policy        *Policy            // what to do about verdicts; nil: the default policy
	Greedy        bool               // the published way: generate, then parse; Gen only
	Thinking      Thinking           // what becomes of the response's thinking
	ReplaceUTF8   bool               // what is not UTF-8 is judged as U+FFFD; else it is an error
	LongText      Optional[LongText] // what becomes of a message that does not fit the context
	RejectDropped Optional[bool]     // messages that the Gen template leaves out are an error; else the verdict names them
	Progress      Progress           // of ClassifyBatch, in conversations
}

// toC fills the C struct, and lends it the policy until leave is called.
func (o *ClassifyOptions) toC(raw *C.q3g_classify_options) (leave func(), err error) {
	C.q3g_classify_options_init(raw, C.size_t(unsafe.Sizeof(*raw)))
	if o == nil {
		return func() {}, nil
	}
	raw.decoder, raw.invalid_utf8, raw.thinking = cbool(o.Greedy), cbool(o.ReplaceUTF8), C.int32_t(o.Thinking)
	if o.LongText.Set {
		raw.long_text = C.int32_t(o.LongText.Value)
	}
	if o.RejectDropped.Set {
		raw.dropped_messages = cbool(o.RejectDropped.Value)
	}
	raw.policy, leave, err = o.Policy.enter()
	return leave, err
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
		Severity: Severity(raw.severity), Ruling: rulingOfVerdict(raw), Role: Role(raw.role),
		Probabilities: probabilitiesOf(raw.p_safe, raw.p_controversial, raw.p_unsafe), Position: int(raw.position),
		HasRefusal: raw.has_refusal != 0, Refusal: raw.refusal != 0, RefusalProbability: float32(raw.refusal_probability),
		PromptTokens: int(raw.prompt_tokens), CachedTokens: int(raw.cached_tokens),
		GeneratedTokens: int(raw.generated_tokens), LatencyMs: float64(raw.latency_ms),
		OfFoldedCopy: raw.is_of_folded_copy != 0,
	}
	if raw.n_windows > 0 {
		out.Window = &Window{
			int(raw.window_index), int(raw.n_windows), int64(raw.window_byte_begin), int64(raw.window_byte_end),
		}
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

// toC has what a policy looks at.
func (v *Verdict) toC(a *arguments) (raw C.q3g_verdict) {
	raw.struct_size = C.uint32_t(unsafe.Sizeof(raw))
	raw.role, raw.severity, raw.rule_category = C.int32_t(v.Role), C.int32_t(v.Severity), -1
	raw.p_safe, raw.p_controversial, raw.p_unsafe = v.Probabilities.toC()
	raw.position = a.int32("Verdict.Position", v.Position)
	if len(v.Categories) > len(raw.categories) {
		a.fail("Verdict.Categories has %d categories; expected at most %d", len(v.Categories), len(raw.categories))
		return raw
	}
	raw.n_categories = C.int32_t(len(v.Categories))
	for i, score := range v.Categories {
		raw.categories[i], raw.category_probabilities[i] = C.int32_t(score.Category), C.float(score.Probability)
	}
	return raw
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
	leave, err := options.toC(&raw)
	if err != nil {
		return out, err
	}
	defer leave()
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

// BatchVerdict is the verdict, or the error, of one conversation. With an error the verdict was not judged: it has nothing
// but the policy's ruling on that, which is NoAction or Block, never to allow.
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
		unjudged := Verdict{Ruling: options.unjudged()}
		for i := range results {
			results[i] = BatchVerdict{unjudged, err}
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
	leave, err := options.toC(&raw)
	if err != nil {
		return err
	}
	defer leave()
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
	err = cancellable(ctx, func(flag *C.q3g_cancel) error {
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
		result := &results[i]
		if result.Err == nil && needs(&out[i]) == 0 {
			result.Verdict = verdictOf(&out[i], texts[i*room:(i+1)*room])
			continue
		}
		if result.Err == nil {
			result.Verdict, result.Err = g.Classify(ctx, conversations[i], options)
		}
		if result.Err != nil && out[i].status == C.Q3G_OK {
			result.Verdict = Verdict{Ruling: options.unjudged()}
		} else if result.Err != nil {
			result.Verdict = Verdict{Ruling: rulingOfVerdict(&out[i])}
		}
	}
	return nil
}

// unjudged is the policy's ruling on what was not judged; the zero value when even that cannot be had.
func (o *ClassifyOptions) unjudged() Ruling {
	var policy *Policy
	if o != nil {
		policy = o.Policy
	}
	ruling, _ := policy.DecideVerdict(Verdict{Position: -1}, "")
	return ruling
}

func (o *ClassifyOptions) progress() Progress {
	if o == nil {
		return nil
	}
	return o.Progress
}
