// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(&BatchOptions{MaxStepTokens: 32, MaxSessionTokens: 16})
	need(t, err)
	defer batch.Close()
	var ids []uint64
	for i := 0; i < 3; i++ {
		id, err := batch.Add(nil)
		need(t, err)
		need(t, batch.PushPrompt(id, prompt, -1))
		need(t, batch.PushText(id, strings.Repeat(threat, i+1), time.Second))
		ids = append(ids, id)
	}
	need(t, batch.PushText(ids[0], "\xff", -1))
	need(t, batch.EndTurn(ids[1], -1))
	n, err := batch.Step(-1, true)
	check(t, err == nil && n > 0, n, err)
	events, err := batch.Poll(ctx, ids[0], 0)
	need(t, err)
	want(t, events[len(events)-1].Err, StatusInvalidUTF8)
	events, err = batch.Poll(ctx, ids[1], 0)
	need(t, err)
	end := events[len(events)-1]
	check(t, end.Kind == EventTurnEnd && end.Turn.Role == Assistant, end)
	alone := open(t, guard, nil)
	_, err = alone.PushPrompt(ctx, prompt)
	need(t, err)
	update, err := alone.PushText(ctx, strings.Repeat(threat, 3))
	need(t, err)
	var verdicts []TokenVerdict
	need(t, batch.Visit(ids[2], func(s *Stream) { verdicts, err = s.Verdicts(0) }))
	need(t, err)
	same(t, verdicts, update.Tokens)
	moved, err := batch.AddStream(alone)
	need(t, err)
	_, err = alone.Decision()
	want(t, err, StatusBadHandle)
	need(t, batch.PushText(moved, " More.", -1))
	need(t, batch.Start())
	events, err = batch.Poll(ctx, moved, time.Minute)
	check(t, err == nil && len(events) > 0, err)
	need(t, batch.Stop())
	need(t, batch.BeginTurn(ids[1], User))
	need(t, batch.PushTokens(ids[1], []int32{1, 2, 3}, -1))
	_, err = batch.Step(-1, true)
	need(t, err)
	stats, err := batch.Stats()
	check(t, err == nil && stats.Sessions == 4, stats, err)
	need(t, batch.Remove(ids[0]))
	_, err = batch.Poll(ctx, ids[0], 0)
	want(t, err, StatusInvalidArgument)
	_, err = guard.OpenBatch(&BatchOptions{MaxStepTokens: -1})
	want(t, err, StatusInvalidArgument)
	defer func() { check(t, recover() == "mine") }()
	batch.Visit(ids[2], func(*Stream) { panic("mine") })
	t.Fatal("no panic")
}

func TestBatchOverdue(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	// Nobody steps: silence would be no verdict, and there is none.
	need(t, batch.PushPrompt(id, prompt, 0))
	events, err := batch.Poll(ctx, id, time.Hour)
	need(t, err)
	check(t, len(events) == 1 && events[0].Kind == EventOverdue && events[0].Late && events[0].Err == nil, events)
	check(t, events[0].Kind.String() == "overdue" && len(events[0].Update.Tokens) == 0 && events[0].Turn == nil, events)
	check(t, events[0].Decision.Severity == NotJudged && !events[0].Decision.Complete, events)
	time.Sleep(time.Millisecond)
	stats, err := batch.Stats()
	check(t, err == nil && stats.OverdueSessions == 1 && stats.OldestWaiting >= time.Millisecond, stats, err)
	_, err = batch.Step(-1, true)
	need(t, err)
	events, err = batch.Poll(ctx, id, 0)
	check(t, err == nil && len(events) == 1 && events[0].Kind == EventTurnEnd && events[0].Late, events, err)
	stats, err = batch.Stats()
	check(t, err == nil && stats.OverdueSessions == 0 && stats.OldestWaiting == 0 && stats.Late == 1, stats, err)
}

func TestBatchContexts(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	// Nothing is left to wait for.
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := batch.Poll(done, id, time.Hour)
	check(t, err == nil && len(events) == 0, events, err)
	_, err = batch.Poll(done, id, -1)
	want(t, err, StatusInvalidArgument)
	// Nobody steps: only the context ends the wait, or the timeout.
	need(t, batch.PushPrompt(id, prompt, 24*time.Hour))
	events, err = batch.Poll(done, id, 30*time.Millisecond)
	check(t, err == nil && len(events) == 0, events, err)
	time.AfterFunc(30*time.Millisecond, cancel)
	_, err = batch.Poll(done, id, time.Hour)
	check(t, errors.Is(err, context.Canceled), err)
	want(t, err, StatusCancelled)
	// Close ends a wait, too.
	other, stop := context.WithCancel(ctx)
	defer stop()
	time.AfterFunc(30*time.Millisecond, batch.Close)
	_, err = batch.Poll(other, id, time.Hour)
	want(t, err, StatusBadHandle)
}

func TestVisitedStream(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	need(t, batch.PushPrompt(id, prompt, -1))
	_, err = batch.Step(-1, true)
	need(t, err)
	var kept *Stream
	need(t, batch.Visit(id, func(s *Stream) {
		kept = s
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		defer cancel()
		for err == nil {
			_, err = s.PushText(short, story)
			s.RewindToByte(ctx, 0)
		}
	}))
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	_, err = kept.Decision()
	want(t, err, StatusBadHandle)
	kept.Close()
	need(t, batch.PushText(id, strings.Repeat(story, 3), -1))
	n, err := batch.Step(-1, true)
	check(t, err == nil && n > 0, n, err)
	// Of a session only copies leave the batch.
	var added error
	need(t, batch.Visit(id, func(s *Stream) { _, added = batch.AddStream(s) }))
	want(t, added, StatusInvalidArgument)
	_, err = batch.AddStream(nil)
	want(t, err, StatusInvalidArgument)
	foreign := judged(t) // another model's: refused, and still open
	_, err = batch.AddStream(foreign)
	want(t, err, StatusInvalidArgument)
	_, err = foreign.PushText(ctx, "x")
	need(t, err)
	// A stack that grows under C moves what points to it.
	done := make(chan int)
	go func() {
		sum := 0
		batch.Visit(id, func(*Stream) { sum = deep(5000) })
		done <- sum
	}()
	check(t, <-done == 5001)
	// Close within a call takes place behind it.
	need(t, batch.Visit(id, func(s *Stream) {
		batch.Close()
		_, err = s.Info()
	}))
	need(t, err)
	_, err = batch.Stats()
	want(t, err, StatusBadHandle)
}

func deep(n int) int {
	var block [256]byte
	block[n%256] = 1
	if n == 0 {
		return int(block[0])
	}
	return deep(n-1) + int(block[n%256])
}
