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
// the write's. While the policy blocks the text, also provisionally (Ruling.Settled), writes return ErrBlocked beside the
// number of bytes, all of which were judged; the decision has the rest. Once the context is full and judging has stopped
// they return ErrNotJudged in the same way. A write that fails otherwise has changed nothing.
//
// No error means that nothing is blocked so far, not that all was judged: a Gen checkpoint's verdict comes every so many
// tokens. Decision.UnjudgedBegin says how far it got, and Close tells of the whole turn.
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
	decision, err := w.stream.Decision()
	if err == nil {
		err = w.outcome(decision, update.StoppedAtByte >= 0)
	}
	return len(piece), err
}

// Close ends the turn: ErrBlocked when it is blocked, ErrNotJudged when part of it was not judged. To have what the turn
// came to, call Stream.EndTurn instead.
func (w *Writer) Close() error {
	turn, err := w.stream.EndTurn(w.ctx)
	if err != nil {
		return err
	}
	if turn.Prompt == nil {
		return w.outcome(turn.Decision, true)
	}
	// A user's turn has a decision of its own.
	decision, err := w.stream.PromptDecision()
	if err != nil {
		return err
	}
	return w.outcome(decision, true)
}

// outcome is the error of a turn that is blocked; or, when no more of it will be judged, of one that was not judged whole.
func (w *Writer) outcome(decision Decision, isOver bool) error {
	outcome := ErrBlocked
	if decision.Action != Block {
		if !isOver || decision.Complete {
			return nil
		}
		if info, err := w.stream.Info(); err != nil || info.TurnBytes == 0 {
			return err
		}
		outcome = ErrNotJudged
	}
	reason, err := decision.Explain()
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", outcome, reason)
}
