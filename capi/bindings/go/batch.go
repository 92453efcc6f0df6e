// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Batch is many live conversations over one model, named by numbers. Any number of goroutines. A deadline counts from
// the push; below 0: the default.
type Batch struct {
	life   life
	handle *C.q3g_batch
}

// BatchOptions are a batch's bounds; 0: the default.
type BatchOptions struct {
	MemoryBudgetBytes int64 // of all sessions; 0: no bound
	MaxWaitingBytes   int64 // of one session's text
	MaxStepTokens     int   // rows of one forward
	MaxSessionTokens  int   // of one session in it
	DefaultDeadline   time.Duration
}

// Event is what became of something that was pushed.
type Event struct {
	Kind     EventKind
	Update   Update
	Decision Decision
	Turn     *Turn // EventTurnEnd
	Err      error // EventError
	WaitedMs float64
	Late     bool
}

func ms(d time.Duration) C.double { return C.double(float64(d) / float64(time.Millisecond)) }

func deadlineMs(d time.Duration) C.double {
	if d < 0 {
		return -1
	}
	return ms(d)
}

// OpenBatch opens a batch. options may be nil.
func (g *Guard) OpenBatch(options *BatchOptions) (*Batch, error) {
	var a arguments
	var raw C.q3g_batch_options
	C.q3g_batch_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	if options != nil {
		raw.memory_budget_bytes = a.size("BatchOptions.MemoryBudgetBytes", options.MemoryBudgetBytes)
		if options.MaxWaitingBytes != 0 {
			raw.max_waiting_bytes = a.size("BatchOptions.MaxWaitingBytes", options.MaxWaitingBytes)
		}
		if options.MaxStepTokens != 0 {
			raw.max_step_tokens = a.int32("BatchOptions.MaxStepTokens", options.MaxStepTokens)
		}
		if options.MaxSessionTokens != 0 {
			raw.max_session_tokens = a.int32("BatchOptions.MaxSessionTokens", options.MaxSessionTokens)
		}
		if options.DefaultDeadline != 0 {
			raw.default_deadline_ms = ms(options.DefaultDeadline)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	var handle *C.q3g_batch
	err := g.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_open(g.handle, &raw, &handle, err) })
	if err != nil {
		return nil, err
	}
	out := &Batch{handle: handle, life: life{what: "batch", free: func() { C.q3g_batch_free(handle) }}}
	runtime.SetFinalizer(out, (*Batch).Close)
	return out, nil
}

// Close stops the thread and frees the batch, once; calls that run end first. What waits is dropped without a verdict.
func (b *Batch) Close() {
	b.life.close()
	runtime.SetFinalizer(b, nil)
}

func (b *Batch) run(call func(err *C.q3g_error) C.q3g_status) error {
	if err := b.life.enter(); err != nil {
		return err
	}
	defer b.life.leave()
	slot := newSlot()
	return errorOf(call(&slot), &slot)
}

// Add makes a session. options may be nil.
func (b *Batch) Add(options *StreamOptions) (session uint64, err error) {
	var out C.uint64_t
	err = options.with(func(raw *C.q3g_stream_options) error {
		return b.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_add(b.handle, raw, &out, err) })
	})
	return uint64(out), err
}

// AddStream takes a stream in, with its past, and closes the Stream; on error it stays open.
func (b *Batch) AddStream(stream *Stream) (session uint64, err error) {
	if stream == nil {
		return 0, &Error{StatusInvalidArgument, "the stream is nil"}
	}
	var out C.uint64_t
	if err := b.life.enter(); err != nil {
		return 0, err
	}
	defer b.life.leave()
	if err := stream.life.enterAlone(); err != nil {
		return 0, err
	}
	slot := newSlot()
	err = errorOf(C.q3g_batch_add_stream(b.handle, stream.handle, &out, &slot), &slot)
	if err == nil {
		flag := stream.flag
		stream.life.free = func() { C.q3g_cancel_free(flag) } // the library has freed the stream
		defer stream.Close()
	}
	stream.life.leave()
	return uint64(out), err
}

// Remove drops a session, and what waits for it without a verdict.
func (b *Batch) Remove(session uint64) error {
	return b.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_remove(b.handle, C.uint64_t(session), err) })
}

// PushPrompt queues a prompt; what is wrong with the text comes as an event.
func (b *Batch) PushPrompt(session uint64, prompt string, deadline time.Duration) error {
	return b.run(func(err *C.q3g_error) C.q3g_status {
		p, n := text(prompt)
		return C.q3g_batch_push_prompt(b.handle, C.uint64_t(session), p, n, deadlineMs(deadline), err)
	})
}

// BeginTurn queues the beginning of a turn.
func (b *Batch) BeginTurn(session uint64, role Role) error {
	return b.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_batch_begin_turn(b.handle, C.uint64_t(session), C.int32_t(role), err)
	})
}

// PushText queues text.
func (b *Batch) PushText(session uint64, piece string, deadline time.Duration) error {
	return b.run(func(err *C.q3g_error) C.q3g_status {
		p, n := text(piece)
		return C.q3g_batch_push_text(b.handle, C.uint64_t(session), p, n, deadlineMs(deadline), err)
	})
}

// PushTokens queues tokens.
func (b *Batch) PushTokens(session uint64, ids []int32, deadline time.Duration) error {
	return b.run(func(err *C.q3g_error) C.q3g_status {
		p, n := idsOf(ids)
		return C.q3g_batch_push_tokens(b.handle, C.uint64_t(session), p, n, deadlineMs(deadline), err)
	})
}

// EndTurn queues the end of a turn.
func (b *Batch) EndTurn(session uint64, deadline time.Duration) error {
	return b.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_batch_end_turn(b.handle, C.uint64_t(session), deadlineMs(deadline), err)
	})
}

// Poll takes a session's events; waits for the first one (EventOverdue at the latest), or until nothing is left to wait
// for, at most for the timeout and until the context is done. None says nothing of what still waits. What it returns beside
// an error has been taken, too.
func (b *Batch) Poll(ctx context.Context, session uint64, timeout time.Duration) ([]Event, error) {
	if !isCancellable(ctx) {
		return b.poll(session, timeout)
	}
	// The library waits without a flag, so that a context, or Close, is looked at between short waits.
	const longest = 20 * time.Millisecond
	end := time.Now().Add(timeout)
	for {
		if err := doneBefore(ctx); err != nil {
			return nil, err
		}
		begin := time.Now()
		wait := min(timeout, max(end.Sub(begin), 0), longest)
		events, err := b.poll(session, wait)
		if len(events) > 0 || err != nil || time.Since(begin) < wait || !time.Now().Before(end) {
			return events, err
		}
	}
}

func (b *Batch) poll(session uint64, timeout time.Duration) ([]Event, error) {
	var all *C.q3g_events
	err := b.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_batch_poll(b.handle, C.uint64_t(session), ms(timeout), &all, err)
	})
	if err != nil {
		return nil, err
	}
	defer C.q3g_events_free(all)
	out := make([]Event, 0, int(C.q3g_events_count(all)))
	for i := 0; i < cap(out); i++ {
		event, err := eventOf(all, C.size_t(i))
		if err != nil {
			return out, err
		}
		out = append(out, event)
	}
	return out, nil
}

func eventOf(all *C.q3g_events, i C.size_t) (Event, error) {
	raw := C.q3g_event{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_event{}))}
	failure, slot, decision := newSlot(), newSlot(), newDecision()
	if err := errorOf(C.q3g_events_get(all, i, &raw, &failure, &slot), &slot); err != nil {
		return Event{}, err
	}
	if err := errorOf(C.q3g_events_decision(all, i, &decision, &slot), &slot); err != nil {
		return Event{}, err
	}
	tokens := newTokens(int(raw.n_tokens))
	status := C.q3g_events_tokens(all, i, unsafe.SliceData(tokens), C.size_t(len(tokens)), &slot)
	if err := errorOf(status, &slot); err != nil {
		return Event{}, err
	}
	out := Event{
		Kind: EventKind(raw.kind), Decision: decisionOf(&decision), Err: errorOf(raw.status, &failure),
		WaitedMs: float64(raw.waited_ms), Late: raw.is_late != 0,
		Update: Update{int(raw.first), tokensOf(tokens), int(raw.n_settled), int64(raw.stopped_at_byte)},
	}
	if out.Kind == EventTurnEnd {
		prompt := newTokens(1)
		for room := verdictTextBytes; room > 0; {
			var pinner runtime.Pinner
			written := newVerdictPlace(room, &pinner)
			err := errorOf(C.q3g_events_turn(all, i, &prompt[0], &written.raw, &slot), &slot)
			pinner.Unpin()
			if err != nil {
				return Event{}, err
			}
			turn := turnOf(raw.role, raw.has_prompt, raw.has_written, &decision, &prompt[0], written)
			out.Turn, room = &turn, needs(&written.raw)
		}
	}
	return out, nil
}

// Visit runs a function on this goroutine while nobody else uses the session. The stream is closed when the function
// returns. It must return or panic, and not end the goroutine, as runtime.Goexit and a test's FailNow do.
func (b *Batch) Visit(session uint64, visit func(*Stream)) error {
	c := callback{visit: func(handle *C.q3g_stream) {
		stream := &Stream{handle: handle, life: life{what: "stream of a batch", free: func() {
			C.q3g_stream_set_cancel(handle, nil, nil)
		}}}
		defer stream.life.close()
		visit(stream)
	}}
	var err error
	c.with(func(user unsafe.Pointer) {
		err = b.run(func(err *C.q3g_error) C.q3g_status {
			return C.q3g_batch_visit(b.handle, C.uint64_t(session), visitFn(), user, err)
		})
	})
	return err
}

// Step judges what waits until nothing does or the time is up (below 0: no bound); the number of tokens judged. When no
// forward is expected to end in time, a short one runs if mustRun, if what is next in line is past its deadline, or if it
// was put off for eight times the time it takes.
func (b *Batch) Step(budget time.Duration, mustRun bool) (int, error) {
	budgetMs := C.double(1e9)
	if budget >= 0 {
		budgetMs = ms(budget)
	}
	var n C.size_t
	err := b.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_batch_step(b.handle, budgetMs, cbool(mustRun), &n, err)
	})
	return int(n), err
}

// Start makes a thread that steps until Stop or Close.
func (b *Batch) Start() error {
	return b.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_start(b.handle, err) })
}

// Stop ends that thread.
func (b *Batch) Stop() error {
	return b.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_stop(b.handle, err) })
}

// Stats are the batch's counters.
func (b *Batch) Stats() (BatchStats, error) {
	raw := C.q3g_batch_stats{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_batch_stats{}))}
	err := b.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_batch_get_stats(b.handle, &raw, err) })
	return batchStatsOf(&raw), err
}
