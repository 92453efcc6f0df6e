// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Tokenizer turns text into tokens. Any number of goroutines.
type Tokenizer struct {
	handle *C.q3g_tokenizer
}

func newTokenizer(load func(**C.q3g_tokenizer, *C.q3g_error) C.q3g_status) (*Tokenizer, error) {
	out, slot := &Tokenizer{}, newSlot()
	if err := errorOf(load(&out.handle, &slot), &slot); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(out, (*Tokenizer).Close)
	return out, nil
}

// LoadTokenizer reads tokenizer.json, or a folder with it or with vocab.json and merges.txt.
func LoadTokenizer(path string) (*Tokenizer, error) {
	return newTokenizer(func(out **C.q3g_tokenizer, err *C.q3g_error) C.q3g_status {
		p, n := text(path)
		return C.q3g_tokenizer_load(p, n, out, err)
	})
}

// Close frees the handle.
func (t *Tokenizer) Close() {
	C.q3g_tokenizer_free(t.handle)
	t.handle = nil
	runtime.SetFinalizer(t, nil)
}

// Encode returns the tokens of a text; control tokens in it are plain text.
func (t *Tokenizer) Encode(s string) ([]int32, error) { return t.encode(s, C.Q3G_SPECIAL_AS_TEXT) }

// EncodeSpecial returns the tokens of a text that the program wrote itself: control tokens count as such.
func (t *Tokenizer) EncodeSpecial(s string) ([]int32, error) {
	return t.encode(s, C.Q3G_SPECIAL_RECOGNIZED)
}

func (t *Tokenizer) encode(s string, special C.int32_t) ([]int32, error) {
	defer runtime.KeepAlive(t)
	ids := make([]int32, 3*len(s)) // always enough
	var n C.size_t
	slot := newSlot()
	p, size := text(s)
	out, room := idsOf(ids)
	if err := errorOf(C.q3g_tokenizer_encode(t.handle, p, size, special, out, room, &n, &slot), &slot); err != nil {
		return nil, err
	}
	return ids[:n:n], nil
}

// Decode returns the text of tokens; ill-formed UTF-8 becomes U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	defer runtime.KeepAlive(t)
	p, n := idsOf(ids)
	return readText(func(text *C.char, capacity C.size_t, size *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_tokenizer_decode(t.handle, p, n, cbool(skipSpecial), text, capacity, size, err)
	})
}

// TokenBytes returns a token's bytes, which may be a part of a character.
func (t *Tokenizer) TokenBytes(id int32) ([]byte, error) {
	defer runtime.KeepAlive(t)
	var at *C.char
	var n C.size_t
	slot := newSlot()
	if err := errorOf(C.q3g_tokenizer_token_bytes(t.handle, C.int32_t(id), &at, &n, &slot), &slot); err != nil {
		return nil, err
	}
	return C.GoBytes(unsafe.Pointer(at), C.int(n)), nil
}

// FindBytes returns the regular token of exactly these bytes.
func (t *Tokenizer) FindBytes(data []byte) (id int32, ok bool) {
	defer runtime.KeepAlive(t)
	var out C.int32_t
	p, n := text(string(data))
	status := C.q3g_tokenizer_find_bytes(t.handle, p, n, &out, nil)
	return int32(out), status == C.Q3G_OK && out >= 0
}

// FindAdded returns the added token of a text, e.g. "<|im_end|>".
func (t *Tokenizer) FindAdded(s string) (id int32, ok bool) {
	defer runtime.KeepAlive(t)
	var out C.int32_t
	p, n := text(s)
	status := C.q3g_tokenizer_find_added(t.handle, p, n, &out, nil)
	return int32(out), status == C.Q3G_OK && out >= 0
}

// IsSpecial tells control tokens.
func (t *Tokenizer) IsSpecial(id int32) bool {
	defer runtime.KeepAlive(t)
	var out C.int32_t
	return C.q3g_tokenizer_is_special(t.handle, C.int32_t(id), &out, nil) == C.Q3G_OK && out != 0
}

// VocabSize is one more than the largest id; 0 when closed.
func (t *Tokenizer) VocabSize() int {
	defer runtime.KeepAlive(t)
	var out C.int32_t
	C.q3g_tokenizer_vocab_size(t.handle, &out, nil)
	return int(out)
}

// StreamingDecoder decodes tokens one by one into whole characters.
type StreamingDecoder struct {
	handle *C.q3g_decoder
}

// NewDecoder makes a decoder over the tokenizer.
func (t *Tokenizer) NewDecoder(skipSpecial bool) (*StreamingDecoder, error) {
	defer runtime.KeepAlive(t)
	out, slot := &StreamingDecoder{}, newSlot()
	if err := errorOf(C.q3g_decoder_new(t.handle, cbool(skipSpecial), &out.handle, &slot), &slot); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(out, (*StreamingDecoder).Close)
	return out, nil
}

// Push returns the text that the token completes.
func (d *StreamingDecoder) Push(id int32) (string, error) {
	defer runtime.KeepAlive(d)
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_decoder_push(d.handle, C.int32_t(id), text, capacity, n, err)
	})
}

// Finish returns what was held back, as U+FFFD.
func (d *StreamingDecoder) Finish() (string, error) {
	defer runtime.KeepAlive(d)
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_decoder_finish(d.handle, text, capacity, n, err)
	})
}

// Close frees the handle.
func (d *StreamingDecoder) Close() {
	C.q3g_decoder_free(d.handle)
	d.handle = nil
	runtime.SetFinalizer(d, nil)
}
