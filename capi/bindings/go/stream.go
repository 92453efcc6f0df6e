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

// What happens at the end of the context, and to thinking.
const (
	ContextError = C.Q3G_CONTEXT_ERROR // a response that reaches it is StatusContextFull
	ContextStop  = C.Q3G_CONTEXT_STOP  // from there on nothing is judged, and every verdict says so
	ContextSlide = C.Q3G_CONTEXT_SLIDE // the response's most recent half stays

	ThinkingNone  = C.Q3G_THINKING_NONE  // responses do not think
	ThinkingJudge = C.Q3G_THINKING_JUDGE // it is judged like the rest
	ThinkingSkip  = C.Q3G_THINKING_SKIP  // it is read, but does not count
)

// StreamOptions says how a conversation is judged.
type StreamOptions struct {
	Policy            *Policy // nil: the published rule
	MaxTokens         int     // context; 0: the model's
	ReplaceUTF8       bool    // what is not UTF-8 is judged as U+FFFD
	Context           int
	Thinking          int
	HoldUnsettled     bool // text whose tokens may still change waits
	GenIntervalTokens int  // Gen: a verdict every so many tokens; 0: 32
}

// with runs body with the C struct, which points to the policy.
func (o *StreamOptions) with(cancel *C.q3g_cancel, body func(*C.q3g_stream_options) C.q3g_status) C.q3g_status {
	var raw C.q3g_stream_options
	C.q3g_stream_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw.cancel = cancel
	if o == nil {
		return body(&raw)
	}
	raw.max_tokens, raw.invalid_utf8 = C.int32_t(o.MaxTokens), cbool(o.ReplaceUTF8)
	raw.context, raw.thinking = C.int32_t(o.Context), C.int32_t(o.Thinking)
	raw.judge_unsettled = cbool(!o.HoldUnsettled)
	if o.GenIntervalTokens != 0 {
		raw.gen_interval_tokens = C.int32_t(o.GenIntervalTokens)
	}
	if o.Policy != nil {
		policy := o.Policy.toC()
		var pinner runtime.Pinner
		defer pinner.Unpin()
		pinner.Pin(&policy)
		raw.policy = &policy
		return body(&raw)
	}
	return body(&raw)
}

// Stream is one conversation judged as it is written. One goroutine at a time.
type Stream struct {
	handle *C.q3g_stream
	cancel *Cancel // the stream's own, for contexts; nil in a batch's visit
}

// StreamInfo tells where a stream is.
type StreamInfo struct {
	Position, MaxTokens       int
	TurnBytes                 int64
	FirstVerdict, VerdictsEnd int
	MemoryBytes               int
}

// OpenStream opens a conversation. options may be nil.
func (g *Guard) OpenStream(options *StreamOptions) (*Stream, error) {
	defer runtime.KeepAlive(g)
	flag, err := NewCancel()
	if err != nil {
		return nil, err
	}
	out, slot := &Stream{cancel: flag}, newSlot()
	status := options.with(flag.raw(), func(raw *C.q3g_stream_options) C.q3g_status {
		return C.q3g_stream_open(g.handle, raw, &out.handle, &slot)
	})
	if err := errorOf(status, &slot); err != nil {
		flag.Close()
		return nil, err
	}
	runtime.SetFinalizer(out, (*Stream).Close)
	return out, nil
}

// Close frees the handle.
func (s *Stream) Close() {
	C.q3g_stream_free(s.handle)
	s.handle = nil
	if s.cancel != nil {
		s.cancel.Close()
	}
	runtime.SetFinalizer(s, nil)
}

// run makes a call that the context stops.
func (s *Stream) run(ctx context.Context, call func(err *C.q3g_error) C.q3g_status) error {
	defer runtime.KeepAlive(s)
	if isCancellable(ctx) {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if isCancellable(ctx) && s.cancel != nil {
		stop := onDone(ctx, s.cancel)
		defer s.cancel.Reset()
		defer stop()
	}
	slot := newSlot()
	return withContext(ctx, errorOf(call(&slot), &slot))
}

// PushPrompt feeds the user's turn and opens the assistant's; the verdict on the prompt.
func (s *Stream) PushPrompt(ctx context.Context, prompt string) (TokenVerdict, error) {
	out := newTokens(1)
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		p, n := text(prompt)
		return C.q3g_stream_push_prompt(s.handle, p, n, &out[0], err)
	})
	return tokenOf(&out[0]), err
}

// PushConversation is the same for several turns, the last one the user's.
func (s *Stream) PushConversation(ctx context.Context, messages []Message) (TokenVerdict, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	out := newTokens(1)
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_push_conversation(s.handle, p, n, &out[0], err)
	})
	return tokenOf(&out[0]), err
}

// Restore appends finished turns without judging them.
func (s *Stream) Restore(messages []Message) error {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	return s.run(nil, func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_restore(s.handle, p, n, err) })
}

// BeginTurn opens a turn.
func (s *Stream) BeginTurn(role Role) error {
	return s.run(nil, func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_begin_turn(s.handle, C.int32_t(role), err) })
}

// PushText goes on with the open turn; split anywhere.
func (s *Stream) PushText(ctx context.Context, piece string) (Update, error) {
	return s.change(ctx, func(update *C.q3g_update, tokens *C.q3g_token_verdict, room C.size_t, err *C.q3g_error) C.q3g_status {
		p, n := text(piece)
		return C.q3g_stream_push_text(s.handle, p, n, update, tokens, room, err)
	})
}

// PushTokens judges tokens of the open turn.
func (s *Stream) PushTokens(ctx context.Context, ids []int32) ([]TokenVerdict, error) {
	out := newTokens(len(ids))
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		p, n := idsOf(ids)
		return C.q3g_stream_push_tokens(s.handle, p, n, unsafe.SliceData(out), err)
	})
	if err != nil {
		return nil, err
	}
	return tokensOf(out), nil
}

// EndTurn ends the open turn.
func (s *Stream) EndTurn(ctx context.Context) (Turn, error) {
	turn := C.q3g_turn{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_turn{}))}
	decision, prompt := newDecision(), newTokens(1)
	written, free := newVerdictPlace()
	defer free()
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_end_turn(s.handle, &turn, &decision, &prompt[0], &written.raw, err)
	})
	if err != nil {
		return Turn{}, err
	}
	return turnOf(turn.role, turn.has_prompt, turn.has_written, &decision, &prompt[0], written), nil
}

// Mark is the place where the conversation is now.
func (s *Stream) Mark() (Mark, error) {
	raw := C.q3g_mark{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_mark{}))}
	err := s.run(nil, func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_mark(s.handle, &raw, err) })
	return Mark{uint64(raw.turn), int64(raw.n_units), int32(raw.is_closed)}, err
}

// Rewind goes back to a mark of this stream, or of what it was forked from.
func (s *Stream) Rewind(ctx context.Context, mark Mark) (Update, error) {
	raw := C.q3g_mark{
		struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_mark{})), turn: C.uint64_t(mark.turn),
		n_units: C.int64_t(mark.units), is_closed: C.int32_t(mark.isClosed),
	}
	return s.change(ctx, func(update *C.q3g_update, tokens *C.q3g_token_verdict, room C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_rewind(s.handle, &raw, update, tokens, room, err)
	})
}

// RewindToByte keeps the first n bytes of the open turn's text.
func (s *Stream) RewindToByte(ctx context.Context, n int64) (Update, error) {
	return s.change(ctx, func(update *C.q3g_update, tokens *C.q3g_token_verdict, room C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_rewind_to_byte(s.handle, C.int64_t(n), update, tokens, room, err)
	})
}

func (s *Stream) change(ctx context.Context,
	call func(*C.q3g_update, *C.q3g_token_verdict, C.size_t, *C.q3g_error) C.q3g_status) (Update, error) {
	raw := C.q3g_update{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_update{}))}
	tokens := newTokens(32)
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		return call(&raw, &tokens[0], C.size_t(len(tokens)), err)
	})
	if err != nil {
		return Update{}, err
	}
	out := Update{First: int(raw.first), Settled: int(raw.n_settled), StoppedAtByte: int64(raw.stopped_at_byte)}
	if n := int(raw.n_tokens); n <= len(tokens) {
		out.Tokens = tokensOf(tokens[:n])
	} else if out.Tokens, err = s.Verdicts(out.First); err != nil {
		return Update{}, err
	}
	return out, nil
}

// Fork makes a second stream with the same past.
func (s *Stream) Fork() (*Stream, error) {
	defer runtime.KeepAlive(s)
	flag, err := NewCancel()
	if err != nil {
		return nil, err
	}
	out, slot := &Stream{cancel: flag}, newSlot()
	runtime.SetFinalizer(out, (*Stream).Close)
	if err := errorOf(C.q3g_stream_fork(s.handle, &out.handle, &slot), &slot); err != nil {
		return nil, err
	}
	return out, errorOf(C.q3g_stream_set_cancel(out.handle, flag.raw(), &slot), &slot)
}

// Decision is the policy's, over the open (or else the last) turn so far.
func (s *Stream) Decision() (Decision, error) {
	defer runtime.KeepAlive(s)
	raw, slot := newDecision(), newSlot()
	if err := errorOf(C.q3g_stream_decision(s.handle, &raw, &slot), &slot); err != nil {
		return Decision{}, err
	}
	return decisionOf(&raw), nil
}

// Verdicts are that turn's, from index begin on, as far as they are there.
func (s *Stream) Verdicts(begin int) ([]TokenVerdict, error) {
	info, err := s.Info()
	if err != nil {
		return nil, err
	}
	begin = max(begin, info.FirstVerdict)
	tokens := newTokens(max(info.VerdictsEnd-begin, 0))
	var n C.size_t
	err = s.run(nil, func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_verdicts(s.handle, C.size_t(begin), unsafe.SliceData(tokens), C.size_t(len(tokens)), &n, err)
	})
	if err != nil {
		return nil, err
	}
	return tokensOf(tokens), nil
}

// Info tells where the stream is.
func (s *Stream) Info() (StreamInfo, error) {
	raw := C.q3g_stream_info{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_stream_info{}))}
	err := s.run(nil, func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_get_info(s.handle, &raw, err) })
	return StreamInfo{
		int(raw.position), int(raw.max_tokens), int64(raw.turn_bytes), int(raw.first_verdict), int(raw.n_verdicts),
		int(raw.memory_bytes),
	}, err
}

// Reset forgets the conversation; memory is kept for the next one.
func (s *Stream) Reset() error {
	return s.run(nil, func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_reset(s.handle, err) })
}

// StreamPush is one stream's share of PushBatch.
type StreamPush struct {
	Stream *Stream
	IDs    []int32
	Tokens []TokenVerdict // written
	Err    error          // written
}

// PushBatch is PushTokens for several streams of this guard in common matrix products.
func (g *Guard) PushBatch(pushes []StreamPush) error {
	if len(pushes) == 0 {
		return nil
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	raw, errs := make([]C.q3g_stream_push, len(pushes)), make([]C.q3g_error, len(pushes))
	tokens := make([][]C.q3g_token_verdict, len(pushes))
	pinner.Pin(&errs[0])
	for i, push := range pushes {
		errs[i], tokens[i] = newSlot(), newTokens(len(push.IDs))
		raw[i].struct_size = C.uint32_t(unsafe.Sizeof(raw[i]))
		raw[i].stream, raw[i].error = push.Stream.handle, &errs[i]
		raw[i].ids, raw[i].n_ids = idsOf(push.IDs)
		if len(push.IDs) > 0 {
			pinner.Pin(&push.IDs[0])
			pinner.Pin(&tokens[i][0])
			raw[i].tokens = &tokens[i][0]
		}
	}
	slot := newSlot()
	status := C.q3g_guard_push_batch(g.handle, &raw[0], C.size_t(len(raw)), &slot)
	runtime.KeepAlive(pushes)
	runtime.KeepAlive(g)
	if err := errorOf(status, &slot); err != nil {
		return err
	}
	for i := range pushes {
		if pushes[i].Err = errorOf(raw[i].status, &errs[i]); pushes[i].Err == nil {
			pushes[i].Tokens = tokensOf(tokens[i])
		}
	}
	return nil
}
