// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package qwen3guard

import "sync/atomic"

// life counts the calls that are in an object's C handle, so that Close never frees it under one: the last call that
// leaves a closed object does.
type life struct {
	what  string       // the object's name in errors
	free  func()       // frees the C handle; must not refer to the object, whose finalizer would then never run
	state atomic.Int64 // calls in it, and closed
}

const closed = int64(1) << 62

// enter begins a call; fails when the object is closed.
func (l *life) enter() error {
	for {
		state := l.state.Load()
		if state&closed != 0 {
			return &Error{StatusBadHandle, "the " + l.what + " is closed"}
		}
		if l.state.CompareAndSwap(state, state+1) {
			return nil
		}
	}
}

// enterAlone is enter for objects that serve one goroutine at a time: a second one is told, and does no harm.
func (l *life) enterAlone() error {
	if l.state.CompareAndSwap(0, 1) {
		return nil
	}
	if l.state.Load()&closed != 0 {
		return &Error{StatusBadHandle, "the " + l.what + " is closed"}
	}
	return &Error{StatusInvalidArgument, "the " + l.what + " is in a call already; expected one goroutine at a time"}
}

// leave ends a call. As it is deferred, it also keeps the object from being collected during the call.
func (l *life) leave() {
	if l.state.Add(-1) == closed {
		l.end()
	}
}

// close frees the handle now or when the last call has left, once.
func (l *life) close() {
	for {
		state := l.state.Load()
		if state&closed != 0 {
			return
		}
		if l.state.CompareAndSwap(state, state|closed) {
			if state == 0 {
				l.end()
			}
			return
		}
	}
}

func (l *life) end() {
	if l.free != nil {
		l.free()
	}
}
