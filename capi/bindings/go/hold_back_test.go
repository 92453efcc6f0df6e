// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const (
	clean  = "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. "
	insult = "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. "
)

// held is a new answer of a new stream.
func held(t *testing.T, guard *Guard, options *StreamOptions, how *HoldBackOptions) (*Stream, *HoldBack) {
	t.Helper()
	stream := open(t, guard, options)
	_, err := stream.PushPrompt(ctx, "Hello")
	need(t, err)
	hold, err := stream.HoldBack(how)
	need(t, err)
	t.Cleanup(hold.Close)
	return stream, hold
}

func take(t *testing.T, hold *HoldBack) Release {
	t.Helper()
	out, err := hold.Take(ctx, 0)
	need(t, err)
	return out
}

func TestHoldBackBlocks(t *testing.T) {
	guard := load(t, "stream")
	_, err := open(t, guard, nil).HoldBack(nil)
	want(t, err, StatusInvalidArgument) // no turn is open
	stream, hold := held(t, guard, nil, &HoldBackOptions{BufferTokens: Some(16), MaxRetries: Some(1)})
	_, err = stream.HoldBack(nil)
	want(t, err, StatusInvalidArgument)
	_, err = stream.PushText(ctx, "mine")
	want(t, err, StatusInvalidArgument)
	pushes := []StreamPush{{Stream: stream, IDs: []int32{1}}}
	want(t, guard.PushBatch(pushes), StatusInvalidArgument)
	_, err = stream.Decision()
	need(t, err)

	need(t, hold.Put(ctx, clean+clean))
	first := take(t, hold)
	check(t, first.State == HoldBackWriting && first.Block == nil && strings.HasPrefix(clean+clean, first.Text), first)
	want(t, hold.Retry(ctx, -1), StatusInvalidArgument)
	writer := hold.Writer(ctx)
	_, err = io.WriteString(writer, insult+insult)
	need(t, err)
	var block *BlockedError
	_, err = io.WriteString(writer, "more")
	check(t, errors.As(err, &block) && errors.Is(err, ErrBlocked), err)
	second := take(t, hold)
	shown := first.Text + second.Text
	check(t, second.State == HoldBackBlocked && second.Block != nil && second.Block.Settled, second)
	check(t, block.ShownBytes == int64(len(shown)) && block.ContinueByte == block.ShownBytes, block, shown)
	check(t, block.RetriesLeft == 1 && !block.Prompt && block.ByteBegin >= block.ShownBytes, block)
	check(t, block.Decision.Action == Block && strings.Contains(block.Error(), "block"), block)
	want(t, hold.Put(ctx, "more"), StatusInvalidArgument)

	need(t, hold.Retry(ctx, block.ContinueByte))
	_, err = io.WriteString(writer, "of the old attempt")
	check(t, errors.Is(err, ErrBlocked) && errors.Is(writer.Close(), ErrBlocked), err)
	whole := clean + clean + "Farewell."
	need(t, hold.Put(ctx, whole[len(shown):]))
	need(t, hold.Finish(ctx))
	last := take(t, hold)
	check(t, last.State == HoldBackEnded && shown+last.Text == whole, last, shown)
	stats, err := hold.Stats()
	check(t, err == nil && stats.Retries == 1 && stats.ShownBytes == int64(len(whole)), stats, err)
	want(t, hold.Withdraw(ctx), StatusInvalidArgument)

	// It has ended, and the stream is free; the next answer is withdrawn.
	_, err = stream.PushPrompt(ctx, "And now?")
	need(t, err)
	next, err := stream.HoldBack(&HoldBackOptions{MaxRetries: Some(0)})
	need(t, err)
	need(t, next.Put(ctx, clean+insult+insult))
	blocked := take(t, next)
	check(t, blocked.State == HoldBackBlocked && blocked.Block.RetriesLeft == 0, blocked)
	want(t, next.Retry(ctx, -1), StatusInvalidArgument)
	need(t, next.Withdraw(ctx))
	rest, err := io.ReadAll(next.Reader(ctx))
	check(t, err == nil && len(rest) == 0 && take(t, next).State == HoldBackWithheld, string(rest), err)
	_, err = stream.PushPrompt(ctx, "Well?")
	need(t, err)
	next.Close()
	want(t, next.Put(ctx, "x"), StatusBadHandle)
}

// Whatever the cut, text that nobody blocks comes out as it was put in, by Take and by a reader with places of any size.
func TestHoldBackSplits(t *testing.T) {
	random := rand.New(rand.NewSource(seed))
	t.Log("seed", seed)
	guard, text := load(t, "stream"), story+clean+story
	for round := 0; round < 8; round++ {
		_, hold := held(t, guard, &StreamOptions{Policy: calm(t)}, &HoldBackOptions{BufferTokens: Some(random.Intn(20))})
		read := make(chan string)
		if round%2 == 1 {
			reader := hold.Reader(ctx)
			if round%4 == 1 {
				reader = iotest.OneByteReader(reader)
			}
			go func() {
				all, err := io.ReadAll(reader)
				read <- string(all)
				check(t, err == nil, err)
			}()
		}
		shown := ""
		for rest := text; rest != ""; {
			n := min(1+random.Intn(12), len(rest))
			need(t, hold.Put(ctx, rest[:n]))
			if rest = rest[n:]; round%2 == 0 {
				shown += take(t, hold).Text
				check(t, strings.HasPrefix(text[:len(text)-len(rest)], shown), shown)
			}
		}
		need(t, hold.Writer(ctx).Close())
		if round%2 == 1 {
			shown = <-read
		}
		last := take(t, hold)
		check(t, shown+last.Text == text && last.State == HoldBackEnded, shown, last)
	}
}

func TestHoldBackReader(t *testing.T) {
	guard := load(t, "stream")
	stream, hold := held(t, guard, nil, nil)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := hold.Reader(short).Read(make([]byte, 9))
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	// What ends within a character was not judged completely.
	need(t, hold.Put(ctx, "\xe4\xbd"))
	need(t, hold.Finish(ctx))
	_, err = hold.Reader(ctx).Read(make([]byte, 1))
	check(t, errors.Is(err, ErrNotJudged), err)
	_, err = stream.PushPrompt(ctx, "And?")
	need(t, err)
	closing, err := stream.HoldBack(nil)
	need(t, err)
	time.AfterFunc(5*time.Millisecond, closing.Close)
	_, err = closing.Reader(ctx).Read(make([]byte, 1))
	want(t, err, StatusBadHandle)
	_, err = stream.PushText(ctx, "mine again")
	need(t, err)
	// The session's error is the answer's.
	_, failed := held(t, guard, nil, nil)
	want(t, failed.Put(ctx, "\xff"), StatusInvalidUTF8)
	_, err = failed.Reader(ctx).Read(make([]byte, 9))
	want(t, err, StatusInvalidUTF8)
	// Old text leaves by its age.
	_, old := held(t, guard, nil, &HoldBackOptions{ReleaseAfter: time.Millisecond})
	need(t, old.Put(ctx, "A fox. And"))
	n, err := old.Reader(ctx).Read(make([]byte, 99))
	check(t, err == nil && n > 0, n, err)
	stream.Close()
	_, dead := held(t, guard, nil, nil)
	dead.stream.Close()
	want(t, dead.Put(ctx, "x"), StatusBadHandle)
}

func TestHoldBackOverBatch(t *testing.T) {
	batch, err := load(t, "stream").OpenBatch(nil)
	need(t, err)
	_, err = batch.HoldBack(1, nil)
	want(t, err, StatusInvalidArgument)
	id, err := batch.Add(nil)
	need(t, err)
	need(t, batch.Start())
	need(t, batch.PushPrompt(id, "Hello", -1))
	hold, err := batch.HoldBack(id, &HoldBackOptions{BufferTokens: Some(16), Deadline: Some(time.Hour)})
	need(t, err)
	write := func(writer io.WriteCloser, answer string) {
		for _, word := range strings.SplitAfter(answer, " ") {
			if _, err := io.WriteString(writer, word); err != nil {
				return
			}
		}
		_ = writer.Close()
	}
	go write(hold.Writer(ctx), clean+clean+insult+insult)
	shown, err := io.ReadAll(hold.Reader(ctx))
	var block *BlockedError
	check(t, errors.As(err, &block) && strings.HasPrefix(clean+clean, string(shown)), err, string(shown))
	check(t, block.ShownBytes == int64(len(shown)), block, len(shown))
	need(t, hold.Retry(ctx, -1))
	whole := clean + clean + "Farewell."
	go write(hold.Writer(ctx), whole[len(shown):])
	rest, err := io.ReadAll(hold.Reader(ctx))
	check(t, err == nil && string(shown)+string(rest) == whole, err, string(rest))

	need(t, batch.PushPrompt(id, "And now?", -1))
	more, err := batch.HoldBack(id, nil)
	need(t, err)
	need(t, more.Put(ctx, clean))
	need(t, more.Finish(ctx))
	text, out := "", Release{}
	for out.State == HoldBackWriting || out.State == HoldBackFinishing {
		out, err = more.Take(ctx, time.Minute)
		need(t, err)
		text += out.Text
	}
	check(t, text == clean && out.State == HoldBackEnded, text, out)
	batch.Close()
	want(t, hold.Withdraw(ctx), StatusBadHandle)
	hold.Close()
	more.Close()
}

// A reader never ends cleanly where the answer was not judged completely, over a stream and over a batch.
func TestHoldBackNeverEndsUnjudged(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	need(t, batch.Start())
	open := func() []*HoldBack {
		_, over := held(t, guard, nil, nil)
		id, err := batch.Add(nil)
		need(t, err)
		need(t, batch.PushPrompt(id, "Hello", -1))
		hold, err := batch.HoldBack(id, nil)
		need(t, err)
		t.Cleanup(hold.Close)
		return []*HoldBack{over, hold}
	}
	for _, hold := range open() { // ends within a character
		need(t, hold.Put(ctx, "Good \xe4\xbd"))
		need(t, hold.Finish(ctx))
		for range [2]int{} {
			read, err := io.ReadAll(hold.Reader(ctx))
			check(t, len(read) == 0 && errors.Is(err, ErrNotJudged), string(read), err)
		}
		want(t, hold.Put(ctx, "more"), StatusInvalidArgument)
		want(t, hold.Finish(ctx), StatusInvalidArgument)
		want(t, hold.Retry(ctx, -1), StatusInvalidArgument)
	}
	for _, hold := range open() { // fails
		_ = hold.Put(ctx, "Good \xff")
		_ = hold.Finish(ctx)
		for range [2]int{} {
			_, err := io.ReadAll(hold.Reader(ctx))
			want(t, err, StatusInvalidUTF8)
		}
	}
	for _, hold := range open() { // halves of a character, and places of one byte
		writer := hold.Writer(ctx)
		for _, piece := range []string{"Hi \xe4", "\xbd", "\xa0"} {
			_, err := io.WriteString(writer, piece)
			need(t, err)
		}
		need(t, writer.Close())
		read, err := io.ReadAll(iotest.OneByteReader(hold.Reader(ctx)))
		check(t, err == nil && string(read) == "Hi \u4f60", string(read), err)
		want(t, hold.Put(ctx, "more"), StatusInvalidArgument)
		want(t, writer.Close(), StatusInvalidArgument)
	}
	for _, hold := range open() { // a reader that waits stops with its context, and takes nothing away
		stopping, stop := context.WithCancel(ctx)
		time.AfterFunc(5*time.Millisecond, stop)
		_, err := hold.Reader(stopping).Read(make([]byte, 9))
		check(t, errors.Is(err, context.Canceled), err)
		need(t, hold.Put(ctx, clean))
		need(t, hold.Finish(ctx))
		read, err := io.ReadAll(hold.Reader(ctx))
		check(t, err == nil && string(read) == clean, string(read), err)
	}
}

// A model that is faster than the guard waits; the context ends that.
func TestHoldBackWaitsForRoom(t *testing.T) {
	batch, err := load(t, "stream").OpenBatch(&BatchOptions{MaxWaitingBytes: 64})
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(&StreamOptions{Policy: calm(t)})
	need(t, err)
	need(t, batch.PushPrompt(id, "Hello", -1))
	hold, err := batch.HoldBack(id, nil)
	need(t, err)
	defer hold.Close()
	piece := strings.Repeat("Good day. ", 5)
	need(t, hold.Put(ctx, piece))
	want(t, hold.Put(ctx, piece), StatusBudgetExceeded)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = io.WriteString(hold.Writer(short), piece) // nobody steps
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	need(t, batch.Start())
	go func() {
		writer := hold.Writer(ctx)
		for i := 0; i < 12; i++ {
			if _, err := io.WriteString(writer, piece); err != nil {
				return
			}
		}
		_ = writer.Close()
	}()
	read, err := io.ReadAll(hold.Reader(ctx))
	check(t, err == nil && string(read) == strings.Repeat(piece, 13), len(read), err)
}
