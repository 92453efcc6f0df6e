// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// StreamPush is one stream's share of PushBatch.
type StreamPush struct {
	Stream *Stream
	IDs    []int32
	Tokens []TokenVerdict // written; nil with an Err
	Err    error          // written
}

// PushBatch is PushTokens for several streams of this guard in common matrix products. An error is of the call
// itself, which has then judged nothing, and that of every push; what went wrong with one push is in its Err.
func (g *Guard) PushBatch(pushes []StreamPush) error {
	err := g.pushBatch(pushes)
	if err != nil {
		// A slice that is used again must not show verdicts of an earlier call.
		for i := range pushes {
			pushes[i].Tokens, pushes[i].Err = nil, err
		}
	}
	return err
}

func (g *Guard) pushBatch(pushes []StreamPush) error {
	if len(pushes) == 0 {
		return nil
	}
	if err := g.life.enter(); err != nil {
		return err
	}
	defer g.life.leave()
	var pinner runtime.Pinner
	defer pinner.Unpin()
	raw, errs := make([]C.q3g_stream_push, len(pushes)), make([]C.q3g_error, len(pushes))
	tokens := make([][]C.q3g_token_verdict, len(pushes))
	pinner.Pin(&errs[0])
	for i, push := range pushes {
		if push.Stream == nil {
			return &Error{StatusInvalidArgument, fmt.Sprintf("pushes[%d].Stream is nil", i)}
		}
		if err := push.Stream.notHeld(); err != nil {
			return fmt.Errorf("pushes[%d].Stream: %w", i, err)
		}
		if err := push.Stream.life.enterAlone(); err != nil {
			return fmt.Errorf("pushes[%d].Stream: %w", i, err)
		}
		defer push.Stream.life.leave()
		errs[i], tokens[i] = newSlot(), newTokens(len(push.IDs))
		raw[i].struct_size = C.uint32_t(unsafe.Sizeof(raw[i]))
		raw[i].stream, raw[i].error = push.Stream.handle, &errs[i]
		if ids := append([]int32(nil), push.IDs...); len(ids) > 0 { // a copy, as in messagesToC
			pinner.Pin(&ids[0])
			pinner.Pin(&tokens[i][0])
			raw[i].ids, raw[i].n_ids = idsOf(ids)
			raw[i].tokens = &tokens[i][0]
		}
	}
	slot := newSlot()
	status := C.q3g_guard_push_batch(g.handle, &raw[0], C.size_t(len(raw)), &slot)
	if err := errorOf(status, &slot); err != nil {
		return err
	}
	for i := range pushes {
		pushes[i].Tokens, pushes[i].Err = nil, errorOf(raw[i].status, &errs[i])
		if pushes[i].Err == nil {
			pushes[i].Tokens = tokensOf(tokens[i])
		}
	}
	return nil
}
