// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"runtime"
	"sync"
)

// Cancel is a flag that stops running calls: they fail with StatusCancelled while it is up. Most programs give a
// context to the calls instead.
type Cancel struct {
	mutex  sync.Mutex
	handle *C.q3g_cancel
}

// NewCancel makes a flag, down.
func NewCancel() (*Cancel, error) {
	out := &Cancel{}
	slot := newSlot()
	if err := errorOf(C.q3g_cancel_new(&out.handle, &slot), &slot); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(out, (*Cancel).Close)
	return out, nil
}

// Set raises the flag.
func (c *Cancel) Set() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	C.q3g_cancel_set(c.handle)
}

// Reset takes it down again.
func (c *Cancel) Reset() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	C.q3g_cancel_reset(c.handle)
}

// IsSet tells whether it is up.
func (c *Cancel) IsSet() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return C.q3g_cancel_is_set(c.handle) != 0
}

// Close frees the flag.
func (c *Cancel) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	C.q3g_cancel_free(c.handle)
	c.handle = nil
}

func (c *Cancel) raw() *C.q3g_cancel {
	if c == nil {
		return nil
	}
	return c.handle
}
