// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>

int32_t q3gGoProgress(void* user, int64_t n_done, int64_t n_total);
void q3gGoLog(void* user, int32_t level, char* line, size_t line_bytes);
void q3gGoVisit(void* user, q3g_stream* stream);
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Progress is told what is done and what there is in all; false stops the call with StatusCancelled.
type Progress func(done, total int64) bool

// callback is a Go function behind a C one. A panic stops the call and goes on in the caller's frame. All of them are
// called on the calling thread and during the call only.
type callback struct {
	progress Progress
	log      func(level LogLevel, line string)
	visit    func(stream *C.q3g_stream)
	panicked any
}

// with runs call with the user pointer of a C callback.
func (c *callback) with(call func(user unsafe.Pointer)) {
	// C gets the handle's address: a handle's number itself must never be in a pointer variable, where the Go runtime
	// takes it for a bad pointer when it moves the stack.
	handle := cgo.NewHandle(c)
	defer handle.Delete()
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&handle)
	call(unsafe.Pointer(&handle))
	if c.panicked != nil {
		panic(c.panicked)
	}
}

// withProgress runs call with a progress function, or with none.
func withProgress(progress Progress, call func(fn C.q3g_progress_fn, user unsafe.Pointer)) {
	if progress == nil {
		call(nil, nil)
		return
	}
	c := callback{progress: progress}
	c.with(func(user unsafe.Pointer) { call(progressFn(), user) })
}

func (c *callback) run(body func()) (ok bool) {
	if c.panicked != nil {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			c.panicked, ok = p, false
		}
	}()
	body()
	return true
}

func callbackOf(user unsafe.Pointer) *callback { return (*cgo.Handle)(user).Value().(*callback) }

//export q3gGoProgress
func q3gGoProgress(user unsafe.Pointer, done, total C.int64_t) C.int32_t {
	c, goOn := callbackOf(user), false
	if c.run(func() { goOn = c.progress(int64(done), int64(total)) }) && goOn {
		return 0
	}
	return 1
}

//export q3gGoLog
func q3gGoLog(user unsafe.Pointer, level C.int32_t, line *C.char, n C.size_t) {
	c := callbackOf(user)
	c.run(func() { c.log(LogLevel(level), string(bytesOf(line, n))) })
}

//export q3gGoVisit
func q3gGoVisit(user unsafe.Pointer, stream *C.q3g_stream) {
	c := callbackOf(user)
	c.run(func() { c.visit(stream) })
}

func progressFn() C.q3g_progress_fn { return C.q3g_progress_fn(C.q3gGoProgress) }
func logFn() C.q3g_log_fn           { return C.q3g_log_fn(C.q3gGoLog) }
func visitFn() C.q3g_visit_fn       { return C.q3g_visit_fn(C.q3gGoVisit) }
