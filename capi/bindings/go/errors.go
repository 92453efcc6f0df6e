// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Error is the status's name, e.g. "bad_checkpoint".
func (s Status) Error() string { return C.GoString(C.q3g_status_name(C.q3g_status(s))) }

// Error is a failure: a status to branch on, and one sentence that says what was wrong, where and what was expected.
type Error struct {
	Status  Status
	Message string
}

// Error is the status's name and the message.
func (e *Error) Error() string { return e.Status.Error() + ": " + e.Message }

// Unwrap makes errors.Is(err, StatusInvalidUTF8) work.
func (e *Error) Unwrap() error { return e.Status }

// What the writers and readers of streams return.
var (
	ErrBlocked   = errors.New("qwen3guard: the policy blocks the text")
	ErrNotJudged = errors.New("qwen3guard: part of the text was not judged") // and will not be
)

func newSlot() C.q3g_error {
	return C.q3g_error{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_error{}))}
}

func errorOf(status C.q3g_status, slot *C.q3g_error) error {
	if status == C.Q3G_OK {
		return nil
	}
	return &Error{Status(status), C.GoString(&slot.message[0])}
}

// abiMismatch is the error of a library that is not the one the program was compiled for; structs would not fit.
func abiMismatch(found, compiled uint32) error {
	if found == compiled {
		return nil
	}
	return &Error{StatusInvalidArgument, fmt.Sprintf("libqwen3guard_c has version %d of the C interface; this program was "+
		"compiled for version %d: compile it again, or install the library of that version", found, compiled)}
}

// checkLibrary is called before anything is made that others are made from.
func checkLibrary() error { return abiMismatch(uint32(C.q3g_abi_version()), C.Q3G_ABI_VERSION) }
