// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"unsafe"
)

// Status is why a call failed. It is an error itself, for errors.Is(err, qwen3guard.StatusContextFull).
type Status int32

// The statuses of qwen3guard.h.
const (
	StatusInvalidArgument  Status = C.Q3G_E_INVALID_ARGUMENT
	StatusFileNotFound     Status = C.Q3G_E_FILE_NOT_FOUND
	StatusIO               Status = C.Q3G_E_IO
	StatusBadCheckpoint    Status = C.Q3G_E_BAD_CHECKPOINT
	StatusBadTokenizer     Status = C.Q3G_E_BAD_TOKENIZER
	StatusUnsupportedModel Status = C.Q3G_E_UNSUPPORTED_MODEL
	StatusUnsupportedISA   Status = C.Q3G_E_UNSUPPORTED_ISA
	StatusInvalidUTF8      Status = C.Q3G_E_INVALID_UTF8
	StatusTokenRange       Status = C.Q3G_E_TOKEN_RANGE
	StatusContextFull      Status = C.Q3G_E_CONTEXT_FULL
	StatusUnparsableOutput Status = C.Q3G_E_UNPARSABLE_OUTPUT
	StatusOutOfMemory      Status = C.Q3G_E_OUT_OF_MEMORY
	StatusInternal         Status = C.Q3G_E_INTERNAL
	StatusCancelled        Status = C.Q3G_E_CANCELLED
	StatusBudgetExceeded   Status = C.Q3G_E_BUDGET_EXCEEDED
	StatusBadHandle        Status = C.Q3G_E_BAD_HANDLE
)

func (s Status) Error() string { return C.GoString(C.q3g_status_name(C.q3g_status(s))) }

// Error is a failure: a status to branch on, and one sentence that says what was wrong, where and what was expected.
type Error struct {
	Status  Status
	Message string
}

func (e *Error) Error() string { return e.Status.Error() + ": " + e.Message }

// Unwrap makes errors.Is(err, StatusInvalidUTF8) work.
func (e *Error) Unwrap() error { return e.Status }

// ErrFlagged is what a stream's Writer returns when the policy's flag goes up.
var ErrFlagged = errors.New("qwen3guard: the text was flagged")

func newSlot() C.q3g_error {
	return C.q3g_error{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_error{}))}
}

func errorOf(status C.q3g_status, slot *C.q3g_error) error {
	if status == C.Q3G_OK {
		return nil
	}
	return &Error{Status(status), C.GoString(&slot.message[0])}
}

// withContext makes err the context's error, too, when the context stopped the call.
func withContext(ctx context.Context, err error) error {
	if err != nil && ctx != nil && ctx.Err() != nil && errors.Is(err, StatusCancelled) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// onDone raises the flag when the context is done, until stop is called; it does not rise behind that.
func onDone(ctx context.Context, flag *Cancel) (stop func()) {
	raised := make(chan struct{})
	before := context.AfterFunc(ctx, func() {
		flag.Set()
		close(raised)
	})
	return func() {
		if !before() {
			<-raised
		}
	}
}

// isCancellable tells whether a context can ever be done.
func isCancellable(ctx context.Context) bool { return ctx != nil && ctx.Done() != nil }

// text is a Go string as the C interface takes it, for the time of the call.
func text(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

func idsOf(ids []int32) (*C.int32_t, C.size_t) {
	return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(ids))), C.size_t(len(ids))
}

func cbool(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// readText calls read with a buffer, and again with a larger one when it is too small.
func readText(read func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status) (string, error) {
	var small [256]byte
	buffer := small[:]
	for {
		var n C.size_t
		slot := newSlot()
		status := read((*C.char)(unsafe.Pointer(&buffer[0])), C.size_t(len(buffer)), &n, &slot)
		if status == C.Q3G_E_BUFFER_TOO_SMALL {
			buffer = make([]byte, n)
			continue
		}
		if err := errorOf(status, &slot); err != nil {
			return "", err
		}
		return string(buffer[:n]), nil
	}
}
