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
)

// isCancellable tells whether a context can ever be done.
func isCancellable(ctx context.Context) bool { return ctx != nil && ctx.Done() != nil }

// doneBefore is the error of a call that is not begun because its context is done.
func doneBefore(ctx context.Context) error {
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ctx.Err(), &Error{StatusCancelled, "the context was done before the call"})
}

func newFlag() (flag *C.q3g_cancel, err error) {
	slot := newSlot()
	err = errorOf(C.q3g_cancel_new(&flag, &slot), &slot)
	return flag, err
}

// raising runs call while the context raises the flag. When it returns, the flag is down and stays so: a context that
// is done later does not stop the next call.
func raising(ctx context.Context, flag *C.q3g_cancel, call func() error) error {
	raised := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.q3g_cancel_set(flag)
		close(raised)
	})
	defer func() {
		if !stop() {
			<-raised
			C.q3g_cancel_reset(flag)
		}
	}()
	return because(ctx, flag, call())
}

// because makes StatusCancelled the context's error, too, when it was the context that stopped the call.
func because(ctx context.Context, flag *C.q3g_cancel, err error) error {
	if errors.Is(err, StatusCancelled) && C.q3g_cancel_is_set(flag) != 0 {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// cancellable runs call with a flag of its own that the context raises; nil for a context that is never done.
func cancellable(ctx context.Context, call func(flag *C.q3g_cancel) error) error {
	if !isCancellable(ctx) {
		return call(nil)
	}
	if err := doneBefore(ctx); err != nil {
		return err
	}
	flag, err := newFlag()
	if err != nil {
		return err
	}
	defer C.q3g_cancel_free(flag)
	return raising(ctx, flag, func() error { return call(flag) })
}
