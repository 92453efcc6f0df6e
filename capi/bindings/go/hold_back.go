// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// HoldBackOptions says how text is held back.
type HoldBackOptions struct {
	BufferTokens       Optional[int]           // text leaves when so many settled tokens of the guard stand behind it; unset: 40
	MaxRetries         Optional[int]           // of Retry; unset: 5
	ReportsProvisional bool                    // a block that text to come may lift is reported, too
	ReleaseAfter       time.Duration           // text that is judged and settled leaves when it was put so long ago; 0: never for that reason
	Deadline           Optional[time.Duration] // over a batch: of each push; unset: the batch's
}

func (o *HoldBackOptions) toC() (raw C.q3g_hold_back_options, err error) {
	var a arguments
	C.q3g_hold_back_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	if o == nil {
		return raw, nil
	}
	if o.BufferTokens.Set {
		raw.buffer_tokens = a.int32("HoldBackOptions.BufferTokens", o.BufferTokens.Value)
	}
	if o.MaxRetries.Set {
		raw.max_retries = a.int32("HoldBackOptions.MaxRetries", o.MaxRetries.Value)
	}
	if o.Deadline.Set {
		raw.deadline_ms = ms(o.Deadline.Value)
	}
	raw.reports_provisional, raw.release_after_ms = cbool(o.ReportsProvisional), ms(o.ReleaseAfter)
	return raw, a.err
}

// BlockedError says why text is held back for good, and where its host can go on. Bytes are offsets in the turn's text.
// errors.Is(err, ErrBlocked) holds.
type BlockedError struct {
	Decision     Decision // what was found, and the ruling
	Prompt       bool     // over a batch: the prompt is blocked, and there is nothing to retry
	Settled      bool     // false: text to come may lift it (HoldBackOptions.ReportsProvisional)
	ByteBegin    int64    // what is to be taken back begins here; it may have been shown
	ShownBytes   int64    // of the text, those that were taken
	ContinueByte int64    // where the host goes on unless it says otherwise: behind what was shown
	RetriesLeft  int      // before Retry is refused
}

// Error says what was found.
func (e *BlockedError) Error() string {
	reason, err := e.Decision.Explain()
	if err != nil {
		reason = e.Decision.Severity.String()
	}
	return ErrBlocked.Error() + ": " + reason
}

// Is makes errors.Is(err, ErrBlocked) work.
func (e *BlockedError) Is(target error) bool { return target == ErrBlocked }

// Release is what came out of an answer that is held back.
type Release struct {
	Text    string        // goes behind what was taken before; whole characters; may be empty
	State   HoldBackState // behind that text
	Overdue bool          // over a batch: something waits past its deadline for its verdict
	Waited  time.Duration // of the oldest byte in Text, since it was put
	Block   *BlockedError // State is HoldBackBlocked, or something is provisionally; else nil
}

// HoldBack is one answer of a host's model on its way to a person: what the model writes is put in, and what may be shown
// is taken out. That is at every time a prefix of the turn's text that was judged, is settled, and is not blocked (Flag
// passes). Nothing is lost, and nothing comes twice. Put, Take, Finish, Retry and Withdraw are the plain form; Writer and
// Reader are for a model that writes from a goroutine of its own. Any number of goroutines.
type HoldBack struct {
	life    life
	handle  *C.q3g_hold_back
	stream  *Stream // or nil, and
	batch   *Batch
	holds   atomic.Bool   // the stream is refused to others
	changed chan struct{} // has room for one: a reader looks again
	pause   time.Duration // after which it does anyway; 0: nothing happens by itself

	mu          sync.Mutex // the C handle serves one at a time; so for all that follows
	rest        []byte     // taken, and not yet read
	state       HoldBackState
	block       *BlockedError // the last one that was settled
	attempt     int           // successful calls of Retry
	isWithdrawn bool
}

// readerPause is how often a reader asks a batch, which has nothing to wait on beside other calls.
const readerPause = 2 * time.Millisecond

func newHoldBack(handle *C.q3g_hold_back, stream *Stream, batch *Batch, options *HoldBackOptions) *HoldBack {
	out := &HoldBack{
		handle: handle, stream: stream, batch: batch, changed: make(chan struct{}, 1),
		life: life{what: "hold-back", free: func() { C.q3g_hold_back_free(handle) }},
	}
	if batch != nil || (options != nil && options.ReleaseAfter > 0) {
		out.pause = readerPause
	}
	runtime.SetFinalizer(out, (*HoldBack).Close)
	return out
}

// HoldBack holds back the stream's answer; the assistant's turn is open (PushPrompt). Until the answer has ended, or the
// HoldBack is closed, calls that would change the stream fail with StatusInvalidArgument. options may be nil.
func (s *Stream) HoldBack(options *HoldBackOptions) (*HoldBack, error) {
	raw, err := options.toC()
	if err != nil {
		return nil, err
	}
	var handle *C.q3g_hold_back
	err = s.run(context.Background(), func(err *C.q3g_error) C.q3g_status {
		status := C.q3g_hold_back_open(s.handle, &raw, &handle, err)
		s.isHeld.Store(status == C.Q3G_OK)
		return status
	})
	if err != nil {
		return nil, err
	}
	out := newHoldBack(handle, s, nil, options)
	out.holds.Store(true)
	return out, nil
}

// HoldBack holds back the answer of a session whose prompt was pushed. Until the answer has ended nobody else pushes to
// the session or polls it; events that wait for it are taken. A prompt that is not judged yet is waited for, and when it is
// blocked, so is the answer. The batch must be judging: after Start, or by Step. options may be nil.
func (b *Batch) HoldBack(session uint64, options *HoldBackOptions) (*HoldBack, error) {
	raw, err := options.toC()
	if err != nil {
		return nil, err
	}
	var handle *C.q3g_hold_back
	err = b.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_hold_back_open_batch(b.handle, C.uint64_t(session), &raw, &handle, err)
	})
	if err != nil {
		return nil, err
	}
	return newHoldBack(handle, nil, b, options), nil
}

// Close frees the HoldBack, once; the session stays as it is.
func (h *HoldBack) Close() {
	h.life.close()
	h.letGo()
	h.notify()
	runtime.SetFinalizer(h, nil)
}

// letGo gives the stream back to others, once.
func (h *HoldBack) letGo() {
	if h.holds.CompareAndSwap(true, false) {
		h.stream.isHeld.Store(false)
	}
}

// notify has a waiting reader look again.
func (h *HoldBack) notify() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// locked runs body alone.
func (h *HoldBack) locked(body func() error) error {
	if err := h.life.enter(); err != nil {
		return err
	}
	defer h.life.leave()
	h.mu.Lock()
	defer h.mu.Unlock()
	return body()
}

// call makes a call within locked.
func (h *HoldBack) call(ctx context.Context, call func(err *C.q3g_error) C.q3g_status) error {
	if h.stream != nil {
		return h.stream.call(ctx, call)
	}
	if err := doneBefore(ctx); err != nil {
		return err
	}
	return h.batch.run(call)
}

// Put takes what the host's model has written next; split anywhere. Over a stream it is judged now. Errors:
// StatusInvalidArgument (blocked, or over), StatusBudgetExceeded (over a batch: nothing was put; try again), and those of
// Stream.PushText, after which nothing leaves.
func (h *HoldBack) Put(ctx context.Context, piece string) error {
	return h.locked(func() error { return h.put(ctx, piece) })
}

func (h *HoldBack) put(ctx context.Context, piece string) error {
	defer h.notify()
	return h.call(ctx, func(err *C.q3g_error) C.q3g_status {
		p, n := text(piece)
		return C.q3g_hold_back_put(h.handle, p, n, err)
	})
}

// Finish says that the host's model has ended its answer: the turn is ended, and the rest may leave, or is blocked. Errors:
// as Put.
func (h *HoldBack) Finish(ctx context.Context) error {
	return h.locked(func() error { return h.finish(ctx) })
}

func (h *HoldBack) finish(ctx context.Context) error {
	defer h.notify()
	return h.call(ctx, func(err *C.q3g_error) C.q3g_status { return C.q3g_hold_back_finish(h.handle, err) })
}

// Take is what may be shown now. Over a batch it waits at most for the timeout, and until the context is done, for
// something to happen. What it returns beside an error has been taken, too.
func (h *HoldBack) Take(ctx context.Context, timeout time.Duration) (out Release, err error) {
	const longest = 20 * time.Millisecond // as in Batch.Poll
	end := time.Now().Add(timeout)
	for {
		begin := time.Now()
		wait := min(timeout, max(end.Sub(begin), 0))
		if isCancellable(ctx) {
			wait = min(wait, longest)
		}
		err = h.locked(func() error {
			err := h.gather(ctx, wait, &out)
			out.Text, h.rest = string(h.rest), nil
			return err
		})
		if err != nil || out.Text != "" || out.Block != nil || time.Since(begin) < wait || !time.Now().Before(end) {
			return out, err
		}
	}
}

// gather takes all that may be shown now to rest, within locked.
func (h *HoldBack) gather(ctx context.Context, wait time.Duration, out *Release) error {
	buffer := make([]byte, 2048)
	for hasMore := true; hasMore; wait = 0 {
		n, release, err := h.take(ctx, wait, buffer)
		h.rest = append(h.rest, buffer[:n]...)
		if err != nil {
			return err
		}
		out.State, out.Block, hasMore = HoldBackState(release.raw.state), release.block, release.raw.has_more != 0
		out.Overdue = out.Overdue || release.raw.is_overdue != 0
		out.Waited = max(out.Waited, time.Duration(float64(release.raw.waited_ms)*float64(time.Millisecond)))
	}
	return nil
}

// taken is C's release, and the block in it.
type taken struct {
	raw   C.q3g_hold_back_release
	block *BlockedError
}

// take is one call of C's, within locked. to has room for at least 4 bytes.
func (h *HoldBack) take(ctx context.Context, wait time.Duration, to []byte) (int, taken, error) {
	var out taken
	if h.isOver() {
		out.raw.state = C.int32_t(h.state)
		return 0, out, nil
	}
	raw := C.q3g_hold_back_release{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_hold_back_release{}))}
	decision := newDecision()
	err := h.call(ctx, func(err *C.q3g_error) C.q3g_status {
		at := (*C.char)(unsafe.Pointer(&to[0]))
		return C.q3g_hold_back_take(h.handle, ms(wait), at, C.size_t(len(to)), &raw, &decision, err)
	})
	if err != nil {
		return 0, out, err
	}
	out.raw = raw
	if h.state = HoldBackState(raw.state); h.isOver() {
		h.letGo()
	}
	if raw.has_block != 0 {
		out.block = &BlockedError{
			Decision: decisionOf(&decision), Prompt: raw.is_prompt != 0, Settled: raw.is_settled != 0,
			ByteBegin: int64(raw.byte_begin), ShownBytes: int64(raw.shown_bytes), ContinueByte: int64(raw.continue_byte),
			RetriesLeft: int(raw.retries_left),
		}
	}
	if h.state == HoldBackBlocked {
		h.block = out.block
	}
	return int(raw.text_bytes), out, nil
}

func (h *HoldBack) isOver() bool { return h.state == HoldBackEnded || h.state == HoldBackWithheld }

// Retry goes on behind a block: the session is taken back to the first n bytes of the turn's text (below 0: to
// BlockedError.ContinueByte), and the host puts what its model writes from there on. Below ShownBytes: the host has taken
// back what it showed. Writers from before stay blocked. Errors: StatusInvalidArgument (nothing is blocked, no retries are
// left, no such byte, or the context has slid past it).
func (h *HoldBack) Retry(ctx context.Context, n int64) error {
	return h.locked(func() error {
		err := h.call(ctx, func(err *C.q3g_error) C.q3g_status {
			return C.q3g_hold_back_retry(h.handle, C.int64_t(n), err)
		})
		if err != nil {
			return err
		}
		if h.block != nil && n >= 0 && n < h.block.ShownBytes {
			h.rest = h.rest[:max(int64(len(h.rest))-(h.block.ShownBytes-n), 0)]
		}
		h.attempt, h.state = h.attempt+1, HoldBackWriting
		h.notify()
		return nil
	})
}

// Withdraw ends the answer here, blocked or not: what was shown stands, the rest is withdrawn, and the session's turn is
// ended as if that had been all. Errors: StatusInvalidArgument (it has ended); those of Stream.Rewind and EndTurn: then the
// answer has ended all the same, and the session has more in its past than was shown: reset it. StatusBudgetExceeded (over
// a batch: try again).
func (h *HoldBack) Withdraw(ctx context.Context) error {
	return h.locked(func() error {
		err := h.call(ctx, func(err *C.q3g_error) C.q3g_status { return C.q3g_hold_back_withdraw(h.handle, err) })
		h.isWithdrawn = h.isWithdrawn || err == nil
		if h.stream != nil && !errors.Is(err, StatusCancelled) {
			// A reader finds out, too; a host that has none need not take to have its stream back.
			var none Release
			_ = h.gather(context.Background(), 0, &none)
		}
		h.notify()
		return err
	})
}

// Stats are the answer's counters.
func (h *HoldBack) Stats() (HoldBackStats, error) {
	raw := C.q3g_hold_back_stats{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_hold_back_stats{}))}
	err := h.locked(func() error {
		slot := newSlot()
		return errorOf(C.q3g_hold_back_get_stats(h.handle, &raw, &slot), &slot)
	})
	return holdBackStatsOf(&raw), err
}

type holdBackWriter struct {
	hold    *HoldBack
	ctx     context.Context
	attempt int
}

// Writer puts what is written to it, and finishes the answer when it is closed. Where a batch has no room it waits for some,
// until ctx is done. When the answer is blocked its calls return the *BlockedError, and go on to do so after Retry, whose
// continuation is for a new writer: a model that still writes spoils nothing. Other errors are those of Put; a write that
// fails has put nothing. It is an io.StringWriter, too.
func (h *HoldBack) Writer(ctx context.Context) io.WriteCloser {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &holdBackWriter{h, ctx, h.attempt}
}

func (w *holdBackWriter) Write(piece []byte) (int, error) {
	// The string shares the bytes, which are borrowed for the call only.
	return w.WriteString(unsafe.String(unsafe.SliceData(piece), len(piece)))
}

func (w *holdBackWriter) WriteString(piece string) (int, error) {
	if err := w.do(func() error { return w.hold.put(w.ctx, piece) }); err != nil {
		return 0, err
	}
	return len(piece), nil
}

func (w *holdBackWriter) Close() error {
	return w.do(func() error { return w.hold.finish(w.ctx) })
}

// do waits where a batch has no room: that comes with verdicts.
func (w *holdBackWriter) do(change func() error) error {
	for {
		err := w.try(change)
		if w.hold.batch == nil || !errors.Is(err, StatusBudgetExceeded) {
			return err
		}
		var done <-chan struct{}
		if w.ctx != nil {
			done = w.ctx.Done()
		}
		select {
		case <-time.After(readerPause):
		case <-done:
			return doneBefore(w.ctx)
		}
	}
}

func (w *holdBackWriter) try(change func() error) error {
	h := w.hold
	return h.locked(func() error {
		if (w.attempt != h.attempt || h.state == HoldBackBlocked) && h.block != nil {
			return h.block
		}
		err := change()
		if errors.Is(err, StatusInvalidArgument) {
			// Blocked, and nobody has looked; what comes out with that is for the reader.
			var found Release
			if h.gather(w.ctx, 0, &found) == nil && found.State == HoldBackBlocked {
				return found.Block
			}
		}
		return err
	})
}

type holdBackReader struct {
	hold *HoldBack
	ctx  context.Context
}

// Reader reads what may be shown, and waits for it while another goroutine writes. Behind the last text come io.EOF; a
// *BlockedError, until Retry, after which reading goes on, or Withdraw, after which io.EOF comes; ErrNotJudged when the turn
// was not judged completely; or what the session failed with. Blocks that are not settled are Take's to report. One
// goroutine at a time.
func (h *HoldBack) Reader(ctx context.Context) io.Reader { return &holdBackReader{h, ctx} }

func (r *holdBackReader) Read(place []byte) (n int, err error) {
	for len(place) > 0 && n == 0 && err == nil {
		err = r.hold.locked(func() (err error) {
			n, err = r.hold.read(r.ctx, place)
			return err
		})
		if n == 0 && err == nil {
			err = r.hold.wait(r.ctx)
		}
	}
	return n, err
}

// read is what there is now, within locked.
func (h *HoldBack) read(ctx context.Context, place []byte) (int, error) {
	if len(h.rest) == 0 {
		const leastBytes = 4 // that C takes for room
		if len(place) >= leastBytes {
			if n, _, err := h.take(ctx, 0, place); n > 0 || err != nil {
				return n, err
			}
		} else {
			var small [leastBytes]byte
			n, _, err := h.take(ctx, 0, small[:])
			if err != nil {
				return 0, err
			}
			h.rest = append(h.rest, small[:n]...)
		}
	}
	if n := copy(place, h.rest); n > 0 {
		h.rest = h.rest[n:]
		return n, nil
	}
	switch {
	case h.state == HoldBackBlocked:
		return 0, h.block
	case h.state == HoldBackEnded, h.state == HoldBackWithheld && h.isWithdrawn:
		return 0, io.EOF
	case h.state == HoldBackWithheld:
		return 0, ErrNotJudged
	}
	return 0, nil
}

// wait waits until there may be something to read.
func (h *HoldBack) wait(ctx context.Context) error {
	var done <-chan struct{}
	if ctx != nil {
		done = ctx.Done()
	}
	var again <-chan time.Time
	if h.pause > 0 {
		timer := time.NewTimer(h.pause)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-h.changed:
	case <-again:
	case <-done:
		return doneBefore(ctx)
	}
	return nil
}
