// SPDX-License-Identifier: Apache-2.0

//go:build go1.23 && cgo

package qwen3guard

import (
	"context"
	"iter"
	"math"
	"time"
)

// Events are a session's events as they come, until all that was pushed has been told, or the context is done, which is
// the last error. The batch must be judging: after Start, or by Step in another goroutine.
func (b *Batch) Events(ctx context.Context, session uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			events, err := b.Poll(ctx, session, time.Duration(math.MaxInt64))
			for _, event := range events {
				if !yield(event, nil) {
					return
				}
			}
			if err != nil {
				yield(Event{}, err)
			}
			if err != nil || len(events) == 0 {
				return
			}
		}
	}
}

// Updates judges the pieces of a response as they come, until one fails.
func (s *Stream) Updates(ctx context.Context, pieces iter.Seq[string]) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		for piece := range pieces {
			update, err := s.PushText(ctx, piece)
			if !yield(update, err) || err != nil {
				return
			}
		}
	}
}
