// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package qwen3guard

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestIterators(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	push := func() {
		need(t, batch.PushPrompt(id, prompt, -1))
		need(t, batch.PushText(id, threat, -1))
		need(t, batch.EndTurn(id, -1))
	}
	push()
	need(t, batch.Start())
	var last Event
	batch.Events(ctx, id)(func(event Event, err error) bool {
		need(t, err)
		last = event
		return true
	})
	check(t, last.Kind == EventTurnEnd && last.Decision.Severity == Unsafe, last)
	need(t, batch.Stop())
	push()
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	n := 0
	batch.Events(short, id)(func(_ Event, eventErr error) bool { n, err = n+1, eventErr; return true })
	check(t, n == 1 && errors.Is(err, context.DeadlineExceeded), n, err)

	stream, text := judged(t), ""
	pieces := func(yield func(string) bool) {
		for _, piece := range []string{"Once ", "upon ", "\xff", "never"} {
			if !yield(piece) {
				return
			}
			text += piece
		}
	}
	n = 0
	stream.Updates(ctx, pieces)(func(_ Update, updateErr error) bool { n, err = n+1, updateErr; return true })
	want(t, err, StatusInvalidUTF8)
	check(t, n == 3 && text == "Once upon ", n, text)
}
