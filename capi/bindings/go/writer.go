// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package qwen3guard

import (
	"context"
	"fmt"
	"unsafe"
)

// Writer judges what is written to it as the text of a stream's open turn. It is an io.Writer, io.StringWriter and
// io.Closer: io.Copy(stream.Writer(ctx, nil), body) judges a response while it flows.
type Writer struct {
	stream   *Stream
	ctx      context.Context
	onUpdate func(Update) error
}

// Writer makes a writer over the stream. onUpdate, which may be nil, is told of every change; an error that it returns is
// the write's. While the policy's flag is up, writes return ErrFlagged beside the number of bytes, all of which were
// judged; the decision has the rest. A write that fails otherwise has changed nothing.
func (s *Stream) Writer(ctx context.Context, onUpdate func(Update) error) *Writer {
	return &Writer{s, ctx, onUpdate}
}

// Write judges a piece, split anywhere, also within a character.
func (w *Writer) Write(piece []byte) (int, error) {
	// The string shares the bytes, which are borrowed for the call only.
	return w.WriteString(unsafe.String(unsafe.SliceData(piece), len(piece)))
}

// WriteString judges a piece, split anywhere.
func (w *Writer) WriteString(piece string) (int, error) {
	update, err := w.stream.PushText(w.ctx, piece)
	if err != nil {
		return 0, err
	}
	if w.onUpdate != nil {
		if err := w.onUpdate(update); err != nil {
			return len(piece), err
		}
	}
	return len(piece), w.flagged()
}

// Close ends the turn. To have what the turn came to, call Stream.EndTurn instead.
func (w *Writer) Close() error {
	if _, err := w.stream.EndTurn(w.ctx); err != nil {
		return err
	}
	return w.flagged()
}

func (w *Writer) flagged() error {
	decision, err := w.stream.Decision()
	if err != nil || !decision.Flagged {
		return err
	}
	reason, err := decision.Explain()
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrFlagged, reason)
}
