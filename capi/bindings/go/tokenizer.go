// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import "runtime"

// Tokenizer turns text into tokens. Any number of goroutines.
type Tokenizer struct {
	life   life
	handle *C.q3g_tokenizer
}

func newTokenizer(load func(**C.q3g_tokenizer, *C.q3g_error) C.q3g_status) (*Tokenizer, error) {
	var handle *C.q3g_tokenizer
	slot := newSlot()
	if err := errorOf(load(&handle, &slot), &slot); err != nil {
		return nil, err
	}
	out := &Tokenizer{handle: handle, life: life{what: "tokenizer", free: func() { C.q3g_tokenizer_free(handle) }}}
	runtime.SetFinalizer(out, (*Tokenizer).Close)
	return out, nil
}

// LoadTokenizer reads tokenizer.json, or a folder with it or with vocab.json and merges.txt.
func LoadTokenizer(path string) (*Tokenizer, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	return newTokenizer(func(out **C.q3g_tokenizer, err *C.q3g_error) C.q3g_status {
		p, n := text(path)
		return C.q3g_tokenizer_load(p, n, out, err)
	})
}

// Close frees the tokenizer, once; calls that run end first.
func (t *Tokenizer) Close() {
	t.life.close()
	runtime.SetFinalizer(t, nil)
}

func (t *Tokenizer) run(call func(err *C.q3g_error) C.q3g_status) error {
	if err := t.life.enter(); err != nil {
		return err
	}
	defer t.life.leave()
	slot := newSlot()
	return errorOf(call(&slot), &slot)
}

// Encode returns the tokens of a text; control tokens in it are plain text.
func (t *Tokenizer) Encode(s string) ([]int32, error) { return t.encode(s, C.Q3G_SPECIAL_AS_TEXT) }

// EncodeSpecial returns the tokens of a text that the program wrote itself: control tokens count as such.
func (t *Tokenizer) EncodeSpecial(s string) ([]int32, error) {
	return t.encode(s, C.Q3G_SPECIAL_RECOGNIZED)
}

func (t *Tokenizer) encode(s string, special C.int32_t) ([]int32, error) {
	if err := t.life.enter(); err != nil {
		return nil, err
	}
	defer t.life.leave()
	p, size := text(s)
	// Hardly a text has more tokens than half its bytes; one that does is encoded twice.
	ids := make([]int32, len(s)/2+16)
	for {
		var n C.size_t
		slot := newSlot()
		out, room := idsOf(ids)
		status := C.q3g_tokenizer_encode(t.handle, p, size, special, out, room, &n, &slot)
		if status == C.Q3G_E_BUFFER_TOO_SMALL {
			ids = make([]int32, n)
			continue
		}
		if err := errorOf(status, &slot); err != nil {
			return nil, err
		}
		if 2*int(n) < len(ids) {
			return append(make([]int32, 0, n), ids[:n]...), nil // does not keep what is not used
		}
		return ids[:n:n], nil
	}
}

// Decode returns the text of tokens; ill-formed UTF-8 becomes U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	if err := t.life.enter(); err != nil {
		return "", err
	}
	defer t.life.leave()
	p, n := idsOf(ids)
	return readText(func(text *C.char, capacity C.size_t, size *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_tokenizer_decode(t.handle, p, n, cbool(skipSpecial), text, capacity, size, err)
	})
}

// TokenBytes returns a token's bytes, which may be a part of a character.
func (t *Tokenizer) TokenBytes(id int32) (data []byte, err error) {
	err = t.run(func(err *C.q3g_error) C.q3g_status {
		var at *C.char
		var n C.size_t
		status := C.q3g_tokenizer_token_bytes(t.handle, C.int32_t(id), &at, &n, err)
		if status == C.Q3G_OK {
			data = bytesOf(at, n)
		}
		return status
	})
	return data, err
}

// FindBytes returns the regular token of exactly these bytes; not ok when there is none, or the tokenizer is closed.
func (t *Tokenizer) FindBytes(data []byte) (id int32, ok bool) {
	return t.find(func(out *C.int32_t, err *C.q3g_error) C.q3g_status {
		p, n := text(string(data))
		return C.q3g_tokenizer_find_bytes(t.handle, p, n, out, err)
	})
}

// FindAdded returns the added token of a text, e.g. "<|im_end|>"; not ok when there is none, or the tokenizer is closed.
func (t *Tokenizer) FindAdded(s string) (id int32, ok bool) {
	return t.find(func(out *C.int32_t, err *C.q3g_error) C.q3g_status {
		p, n := text(s)
		return C.q3g_tokenizer_find_added(t.handle, p, n, out, err)
	})
}

func (t *Tokenizer) find(call func(out *C.int32_t, err *C.q3g_error) C.q3g_status) (id int32, ok bool) {
	out := C.int32_t(-1)
	err := t.run(func(err *C.q3g_error) C.q3g_status { return call(&out, err) })
	return int32(out), err == nil && out >= 0
}

// IsSpecial tells control tokens; false when closed.
func (t *Tokenizer) IsSpecial(id int32) bool {
	var out C.int32_t
	err := t.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_tokenizer_is_special(t.handle, C.int32_t(id), &out, err)
	})
	return err == nil && out != 0
}

// VocabSize is one more than the largest id; 0 when closed.
func (t *Tokenizer) VocabSize() int {
	var out C.int32_t
	if t.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_tokenizer_vocab_size(t.handle, &out, err) }) != nil {
		return 0
	}
	return int(out)
}

// StreamingDecoder decodes tokens one by one into whole characters. One goroutine at a time.
type StreamingDecoder struct {
	life   life
	handle *C.q3g_decoder
}

// NewDecoder makes a decoder over the tokenizer.
func (t *Tokenizer) NewDecoder(skipSpecial bool) (*StreamingDecoder, error) {
	var handle *C.q3g_decoder
	err := t.run(func(err *C.q3g_error) C.q3g_status {
		return C.q3g_decoder_new(t.handle, cbool(skipSpecial), &handle, err)
	})
	if err != nil {
		return nil, err
	}
	out := &StreamingDecoder{handle: handle, life: life{what: "decoder", free: func() { C.q3g_decoder_free(handle) }}}
	runtime.SetFinalizer(out, (*StreamingDecoder).Close)
	return out, nil
}

// Push returns the text that the token completes.
func (d *StreamingDecoder) Push(id int32) (string, error) {
	if err := d.life.enterAlone(); err != nil {
		return "", err
	}
	defer d.life.leave()
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_decoder_push(d.handle, C.int32_t(id), text, capacity, n, err)
	})
}

// Finish returns what was held back, as U+FFFD.
func (d *StreamingDecoder) Finish() (string, error) {
	if err := d.life.enterAlone(); err != nil {
		return "", err
	}
	defer d.life.leave()
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_decoder_finish(d.handle, text, capacity, n, err)
	})
}

// Close frees the decoder, once; a call that runs ends first.
func (d *StreamingDecoder) Close() {
	d.life.close()
	runtime.SetFinalizer(d, nil)
}
