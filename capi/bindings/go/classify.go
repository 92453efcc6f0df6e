// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>

int32_t q3gGoProgress(void* user, int64_t n_done, int64_t n_total);
static void q3gGoSetProgress(q3g_classify_options* options, void* user) {
	options->progress = q3gGoProgress;
	options->progress_user = user;
}
*/
import "C"

import (
	"context"
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

func (t Threshold) raw() C.float {
	if t.Set {
		return C.float(t.Value)
	}
	return -1
}

// ClassifyOptions says how a verdict is reached.
type ClassifyOptions struct {
	Greedy         bool // the published way: generate, then parse; Gen only
	Loose          bool // Controversial counts as safe
	ReplaceUTF8    bool // what is not UTF-8 is judged as U+FFFD; else it is an error
	FlagThreshold  Threshold
	BlockThreshold Threshold
	Progress       Progress // of ClassifyBatch, in conversations
}

func (o *ClassifyOptions) toC(raw *C.q3g_classify_options) {
	C.q3g_classify_options_init(raw, C.size_t(unsafe.Sizeof(*raw)))
	if o == nil {
		return
	}
	raw.decoder, raw.mode, raw.invalid_utf8 = cbool(o.Greedy), cbool(o.Loose), cbool(o.ReplaceUTF8)
	raw.flag_threshold, raw.block_threshold = o.FlagThreshold.raw(), o.BlockThreshold.raw()
}

const verdictTextBytes = 1024

// verdictPlace is room for a verdict and its text.
type verdictPlace struct {
	raw  C.q3g_verdict
	text [verdictTextBytes]byte
}

// newVerdictPlace is pinned, as it points to itself, until free is called.
func newVerdictPlace() (p *verdictPlace, free func()) {
	p = &verdictPlace{}
	var pinner runtime.Pinner
	pinner.Pin(p)
	p.raw.struct_size = C.uint32_t(unsafe.Sizeof(p.raw))
	p.raw.text, p.raw.text_capacity = (*C.char)(unsafe.Pointer(&p.text[0])), verdictTextBytes
	return p, pinner.Unpin
}

func (p *verdictPlace) verdict() Verdict { return verdictOf(&p.raw, p.text[:]) }

func verdictOf(raw *C.q3g_verdict, text []byte) Verdict {
	out := Verdict{
		Severity: Severity(raw.severity), Action: Action(raw.action),
		Probabilities: *(*Probabilities)(unsafe.Pointer(&raw.probabilities)),
		HasRefusal:    raw.has_refusal != 0, Refusal: raw.refusal != 0, RefusalProbability: float32(raw.refusal_probability),
		PromptTokens: int(raw.prompt_tokens), CachedTokens: int(raw.cached_tokens),
		GeneratedTokens: int(raw.generated_tokens), LatencyMs: float64(raw.latency_ms),
	}
	for i := 0; i < int(raw.n_categories) && i < len(raw.categories); i++ {
		out.Categories = append(out.Categories,
			CategoryScore{Category(raw.categories[i]), float32(raw.category_probabilities[i])})
	}
	if int(raw.text_bytes) <= len(text) {
		out.Text = string(text[:raw.text_bytes])
	}
	return out
}

// messagesToC points to the texts, which the pinner holds.
func messagesToC(messages []Message, pinner *runtime.Pinner) (*C.q3g_message, C.size_t) {
	out := make([]C.q3g_message, len(messages))
	for i, message := range messages {
		out[i].struct_size = C.uint32_t(unsafe.Sizeof(out[i]))
		out[i].role = C.int32_t(message.Role)
		out[i].text, out[i].text_bytes = text(message.Text)
		if len(message.Text) > 0 {
			pinner.Pin(unsafe.StringData(message.Text))
		}
	}
	return unsafe.SliceData(out), C.size_t(len(out))
}

// judge runs one classification, stopped by the context.
func (g *Guard) judge(ctx context.Context, options *ClassifyOptions,
	call func(*C.q3g_classify_options, *C.q3g_verdict, *C.q3g_error) C.q3g_status) (Verdict, error) {
	defer runtime.KeepAlive(g)
	var raw C.q3g_classify_options
	options.toC(&raw)
	if isCancellable(ctx) {
		if err := ctx.Err(); err != nil {
			return Verdict{}, err
		}
		flag, err := NewCancel()
		if err != nil {
			return Verdict{}, err
		}
		defer flag.Close()
		raw.cancel = flag.raw()
		defer onDone(ctx, flag)()
	}
	place, free := newVerdictPlace()
	defer free()
	slot := newSlot()
	if err := errorOf(call(&raw, &place.raw, &slot), &slot); err != nil {
		return Verdict{}, withContext(ctx, err)
	}
	return place.verdict(), nil
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

// BatchVerdict is the verdict, or the error, of one conversation.
type BatchVerdict struct {
	Verdict Verdict
	Err     error
}

// ClassifyBatch judges several conversations together. options may be nil.
func (g *Guard) ClassifyBatch(ctx context.Context, conversations [][]Message, options *ClassifyOptions) ([]BatchVerdict, error) {
	defer runtime.KeepAlive(g)
	n := len(conversations)
	if n == 0 {
		return nil, nil
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	in, out, errs := make([]C.q3g_conversation, n), make([]C.q3g_verdict, n), make([]C.q3g_error, n)
	texts := make([][verdictTextBytes]byte, n)
	pinner.Pin(&texts[0])
	for i, conversation := range conversations {
		in[i].struct_size = C.uint32_t(unsafe.Sizeof(in[i]))
		in[i].messages, in[i].n_messages = messagesToC(conversation, &pinner)
		if len(conversation) > 0 {
			pinner.Pin(in[i].messages)
		}
		out[i].struct_size = C.uint32_t(unsafe.Sizeof(out[i]))
		out[i].text, out[i].text_capacity = (*C.char)(unsafe.Pointer(&texts[i][0])), verdictTextBytes
		errs[i] = newSlot()
	}
	var raw C.q3g_classify_options
	options.toC(&raw)
	if isCancellable(ctx) {
		flag, err := NewCancel()
		if err != nil {
			return nil, err
		}
		defer flag.Close()
		raw.cancel = flag.raw()
		defer onDone(ctx, flag)()
	}
	slot := newSlot()
	var status C.q3g_status
	run := func() {
		status = C.q3g_guard_classify_batch(g.handle, &in[0], C.size_t(n), &raw, &out[0], &errs[0], &slot)
	}
	if options != nil && options.Progress != nil {
		c := callback{progress: options.Progress}
		c.with(func(user unsafe.Pointer) {
			C.q3gGoSetProgress(&raw, user)
			run()
		})
	} else {
		run()
	}
	if err := errorOf(status, &slot); err != nil {
		return nil, err
	}
	results := make([]BatchVerdict, n)
	for i := range results {
		if out[i].status == C.Q3G_OK {
			results[i].Verdict = verdictOf(&out[i], texts[i][:])
		} else {
			results[i].Err = withContext(ctx, errorOf(out[i].status, &errs[i]))
		}
	}
	return results, nil
}

// DecideAction is what a host should do, by the mode and thresholds of the options, which may be nil.
func DecideAction(options *ClassifyOptions, severity Severity, probabilities Probabilities) (Action, error) {
	var raw C.q3g_classify_options
	options.toC(&raw)
	var out C.int32_t
	slot := newSlot()
	p := (*C.float)(unsafe.Pointer(&probabilities[0]))
	err := errorOf(C.q3g_decide_action(&raw, C.int32_t(severity), p, &out, &slot), &slot)
	return Action(out), err
}
