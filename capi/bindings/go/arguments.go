// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"fmt"
	"math"
	"strings"
	"unsafe"
)

// arguments turns Go values into C ones and keeps the first mistake: a number that does not fit is never cut.
type arguments struct {
	err error
}

func (a *arguments) fail(format string, values ...any) {
	if a.err == nil {
		a.err = &Error{StatusInvalidArgument, fmt.Sprintf(format, values...)}
	}
}

func (a *arguments) int32(name string, value int) C.int32_t {
	if int64(value) < math.MinInt32 || int64(value) > math.MaxInt32 {
		a.fail("%s is %d; expected %d to %d", name, value, math.MinInt32, math.MaxInt32)
	}
	return C.int32_t(value)
}

func (a *arguments) size(name string, value int64) C.size_t {
	if value < 0 || uint64(value) > uint64(^C.size_t(0)) {
		a.fail("%s is %d; expected 0 to %d", name, value, uint64(^C.size_t(0)))
	}
	return C.size_t(value)
}

// noNUL checks a text that C takes with a NUL at its end.
func (a *arguments) noNUL(name, value string) string {
	if i := strings.IndexByte(value, 0); i >= 0 {
		a.fail("%s has a NUL at byte %d; expected none", name, i)
	}
	return value
}

// text is a Go string as the C interface takes it, for the time of the call.
func text(s string) (*C.char, C.size_t) {
	if s == "" {
		return nil, 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

func idsOf(ids []int32) (*C.int32_t, C.size_t) {
	if len(ids) == 0 {
		return nil, 0
	}
	return (*C.int32_t)(unsafe.Pointer(&ids[0])), C.size_t(len(ids))
}

func cbool(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// bytesOf copies bytes of the library's.
func bytesOf(at *C.char, n C.size_t) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(at)), n)...)
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
