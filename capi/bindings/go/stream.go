// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// StreamOptions says how a conversation is judged.
type StreamOptions struct {
	Policy            *Policy                 // what to do about verdicts; nil: the default policy
	MaxTokens         int                     // context; 0: the model's
	ReplaceUTF8       bool                    // what is not UTF-8 is judged as U+FFFD
	Context           Optional[ContextPolicy] // what happens at the end of the context
	Thinking          Thinking
	HoldUnsettled     bool           // text whose tokens may still change waits
	GenIntervalTokens int            // Gen: a verdict every so many tokens; 0: 32
	AllowControlIDs   bool           // control tokens among pushed ids are judged like others, not an error
	RejectDropped     Optional[bool] // Gen: turns that no verdict would see are an error; else the verdicts name them
}

// with runs body with the C struct, to which it lends the policy.
func (o *StreamOptions) with(body func(*C.q3g_stream_options) error) error {
	var a arguments
	var raw C.q3g_stream_options
	C.q3g_stream_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	if o == nil {
		return body(&raw)
	}
	raw.max_tokens, raw.invalid_utf8 = a.int32("StreamOptions.MaxTokens", o.MaxTokens), cbool(o.ReplaceUTF8)
	raw.judge_unsettled, raw.allow_control_ids = cbool(!o.HoldUnsettled), cbool(o.AllowControlIDs)
	raw.thinking = C.int32_t(o.Thinking)
	if o.Context.Set {
		raw.context = C.int32_t(o.Context.Value)
	}
	if o.RejectDropped.Set {
		raw.dropped_messages = cbool(o.RejectDropped.Value)
	}
	if o.GenIntervalTokens != 0 {
		raw.gen_interval_tokens = a.int32("StreamOptions.GenIntervalTokens", o.GenIntervalTokens)
	}
	if a.err != nil {
		return a.err
	}
	policy, leave, err := o.Policy.enter()
	if err != nil {
		return err
	}
	defer leave()
	raw.policy = policy
	return body(&raw)
}

// Stream is one conversation judged as it is written. One goroutine at a time: a second one gets StatusInvalidArgument.
type Stream struct {
	life   life
	handle *C.q3g_stream
	flag   *C.q3g_cancel         // the stream's own, made for the first context that can be done
	tokens []C.q3g_token_verdict // room for what a call changes, kept for the next one
	isHeld atomic.Bool           // a HoldBack has it: nobody else changes it
}

func newStream(handle *C.q3g_stream) *Stream {
	out := &Stream{handle: handle, life: life{what: "stream", free: func() { C.q3g_stream_free(handle) }}}
	runtime.SetFinalizer(out, (*Stream).Close)
	return out
}

// OpenStream opens a conversation. options may be nil.
func (g *Guard) OpenStream(options *StreamOptions) (*Stream, error) {
	var handle *C.q3g_stream
	err := options.with(func(raw *C.q3g_stream_options) error {
		return g.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_open(g.handle, raw, &handle, err) })
	})
	if err != nil {
		return nil, err
	}
	return newStream(handle), nil
}

// Close frees the stream, once; a call that runs ends first.
func (s *Stream) Close() {
	s.life.close()
	runtime.SetFinalizer(s, nil)
}

// needFlag gives the stream a flag of its own, within a call.
func (s *Stream) needFlag() error {
	if s.flag != nil {
		return nil
	}
	flag, err := newFlag()
	if err != nil {
		return err
	}
	slot := newSlot()
	if err := errorOf(C.q3g_stream_set_cancel(s.handle, flag, &slot), &slot); err != nil {
		C.q3g_cancel_free(flag)
		return err
	}
	free := s.life.free
	s.flag, s.life.free = flag, func() {
		free()
		C.q3g_cancel_free(flag)
	}
	return nil
}

// notHeld is the error of a call that would change a stream whose answer is held back.
func (s *Stream) notHeld() error {
	if s.isHeld.Load() {
		return &Error{StatusInvalidArgument, "the stream's answer is held back; expected calls of its HoldBack until that has ended"}
	}
	return nil
}

// run makes a call that changes the stream, and that the context stops.
func (s *Stream) run(ctx context.Context, call func(err *C.q3g_error) C.q3g_status) error {
	if err := s.notHeld(); err != nil {
		return err
	}
	return s.call(ctx, call)
}

// look makes a call that changes nothing.
func (s *Stream) look(call func(err *C.q3g_error) C.q3g_status) error {
	return s.call(context.Background(), call)
}

// call makes a call that the context stops.
func (s *Stream) call(ctx context.Context, call func(err *C.q3g_error) C.q3g_status) error {
	if err := s.life.enterAlone(); err != nil {
		return err
	}
	defer s.life.leave()
	slot := newSlot()
	if !isCancellable(ctx) || s.handle == nil {
		return errorOf(call(&slot), &slot)
	}
	if err := doneBefore(ctx); err != nil {
		return err
	}
	if err := s.needFlag(); err != nil {
		return err
	}
	return raising(ctx, s.flag, func() error { return errorOf(call(&slot), &slot) })
}

// PushPrompt feeds the user's turn and opens the assistant's; the verdict on the prompt.
func (s *Stream) PushPrompt(ctx context.Context, prompt string) (TokenVerdict, error) {
	out := newTokens(1)
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		p, n := text(prompt)
		return C.q3g_stream_push_prompt(s.handle, p, n, &out[0], err)
	})
	if err != nil {
		return TokenVerdict{}, err
	}
	return tokenOf(&out[0]), nil
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
	if err != nil {
		return TokenVerdict{}, err
	}
	return tokenOf(&out[0]), nil
}

// Restore appends finished turns without judging them.
func (s *Stream) Restore(messages []Message) error {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	p, n := messagesToC(messages, &pinner)
	return s.run(context.Background(), func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_restore(s.handle, p, n, err) })
}

// BeginTurn opens a turn.
func (s *Stream) BeginTurn(role Role) error {
	return s.run(context.Background(), func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_begin_turn(s.handle, C.int32_t(role), err)
	})
}

// PushText goes on with the open turn; split anywhere.
func (s *Stream) PushText(ctx context.Context, piece string) (Update, error) {
	return s.change(ctx, func(update *C.q3g_update, tokens *C.q3g_token_verdict, room C.size_t, err *C.q3g_error) C.q3g_status {
		p, n := text(piece)
		return C.q3g_stream_push_text(s.handle, p, n, update, tokens, room, err)
	})
}

// PushTokens judges tokens of the open turn. A model's end of sequence (<|im_end|>, <|endoftext|>) may be the last of an
// assistant's: its verdict has SourceNone and does not count, and only EndTurn may follow. Any other control token is
// StatusInvalidArgument, unless StreamOptions.AllowControlIDs.
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

// EndTurn ends the open turn. A character that is not complete is judged as U+FFFD (StreamOptions.ReplaceUTF8) or left
// out, and the decision names its bytes as not judged.
func (s *Stream) EndTurn(ctx context.Context) (Turn, error) {
	turn := C.q3g_turn{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_turn{}))}
	decision, prompt := newDecision(), newTokens(1)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	written := newVerdictPlace(verdictTextBytes, &pinner)
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_end_turn(s.handle, &turn, &decision, &prompt[0], &written.raw, err)
	})
	if err != nil {
		return Turn{}, err
	}
	out := turnOf(turn.role, turn.has_prompt, turn.has_written, &decision, &prompt[0], written)
	if n := needs(&written.raw); n > 0 {
		// A turn ends once, and no stream of this library writes so much.
		err = &Error{StatusInternal, fmt.Sprintf("the turn has ended, but the written verdict's text is %d bytes; "+
			"expected at most %d", n, verdictTextBytes)}
	}
	return out, err
}

// Mark is the place where the conversation is now.
func (s *Stream) Mark() (Mark, error) {
	raw := C.q3g_mark{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_mark{}))}
	err := s.look(func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_mark(s.handle, &raw, err) })
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
	var out Update
	err := s.run(ctx, func(err *C.q3g_error) C.q3g_status {
		if s.tokens == nil {
			s.tokens = newTokens(32)
		}
		status := call(&raw, &s.tokens[0], C.size_t(len(s.tokens)), err)
		if status == C.Q3G_OK && raw.n_tokens <= C.size_t(len(s.tokens)) {
			out.Tokens = tokensOf(s.tokens[:raw.n_tokens])
		}
		return status
	})
	if err != nil {
		return Update{}, err
	}
	out.First, out.Settled, out.StoppedAtByte = int(raw.first), int(raw.n_settled), int64(raw.stopped_at_byte)
	if int(raw.n_tokens) > len(out.Tokens) {
		if out.Tokens, err = s.Verdicts(out.First); err != nil {
			return Update{}, err
		}
	}
	return out, nil
}

// Fork makes a second stream with the same past.
func (s *Stream) Fork() (*Stream, error) {
	var handle *C.q3g_stream
	err := s.look(func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_fork(s.handle, &handle, err) })
	if err != nil {
		return nil, err
	}
	return newStream(handle), nil
}

// Decision is the policy's, over the open (or else the last) turn so far.
func (s *Stream) Decision() (Decision, error) {
	raw := newDecision()
	err := s.look(func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_decision(s.handle, &raw, err) })
	if err != nil {
		return Decision{}, err
	}
	return decisionOf(&raw), nil
}

// PromptDecision is the policy's over the last user's turn that ended: its ruling is what it makes of the prompt.
func (s *Stream) PromptDecision() (Decision, error) {
	raw := newDecision()
	err := s.look(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_stream_prompt_decision(s.handle, &raw, err)
	})
	if err != nil {
		return Decision{}, err
	}
	return decisionOf(&raw), nil
}

// Verdicts are the open (or else the last) turn's, from index begin on; those before StreamInfo.FirstVerdict are there no more.
func (s *Stream) Verdicts(begin int) ([]TokenVerdict, error) {
	info, err := s.Info()
	if err != nil {
		return nil, err
	}
	begin = max(begin, info.FirstVerdict)
	tokens := newTokens(max(info.VerdictsEnd-begin, 0))
	var n C.size_t
	err = s.look(func(err *C.q3g_error) C.q3g_status {
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
	err := s.look(func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_get_info(s.handle, &raw, err) })
	return streamInfoOf(&raw), err
}

// Reset forgets the conversation; memory is kept for the next one.
func (s *Stream) Reset() error {
	return s.run(context.Background(), func(err *C.q3g_error) C.q3g_status { return C.q3g_stream_reset(s.handle, err) })
}
