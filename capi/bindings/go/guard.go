// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
#include <stdlib.h>

static void q3gGoFree(void* block) { free(block); }
// Unlike C.malloc, which ends the program.
static void* q3gGoAllocate(size_t bytes) { return malloc(bytes); }
static q3g_status q3gGoLoadMemory(q3g_file* files, size_t n, void* block, q3g_guard_options* options,
                                  q3g_guard** out, q3g_error* err) {
	return q3g_guard_load_memory(files, n, q3gGoFree, block, options, out, err);
}
*/
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"
)

// Guard is a loaded model. Any number of goroutines.
type Guard struct {
	life   life
	handle *C.q3g_guard
}

// GuardOptions says how a model is loaded. Custom memory (q3g_allocator) is not here: C may not
// keep memory of Go's collector for a model's life, so that the functions would have to be C's, in a program that has C.
type GuardOptions struct {
	Threads          int    // of one call; 0: all cores
	MaxContextTokens int    // 0: the checkpoint's own
	KeptTokens       int    // Gen: of the last conversations; 0: the default, below 0: none
	WithoutTokenizer bool   // a model without tokenizer files loads, for logits only
	Verify           Verify // how much of the files is compared; a damaged one is StatusBadCheckpoint
	ISA              string // instruction set; "": the best there is
	// RefuseUnknownTemplate: a checkpoint whose own chat template is unknown is StatusUnsupportedModel.
	RefuseUnknownTemplate bool
	KnownTemplate         string // a ModelInfo.ChatTemplateFingerprint that counts as known
	Log                   func(level LogLevel, line string)
}

// HeadLogits is one head's logits, row-major.
type HeadLogits struct {
	Name       string
	Rows, Cols int
	Values     []float32
}

// Version of the C library in use.
func Version() string { return C.GoString(C.q3g_version()) }

// ABIVersion of the C interface that the library in use was built with.
func ABIVersion() int { return int(C.q3g_abi_version()) }

// EmbeddedModels are the names of the models in the library.
func EmbeddedModels() []string {
	var out []string
	for {
		name := C.q3g_embedded_model_name(C.size_t(len(out)))
		if name == nil {
			return out
		}
		out = append(out, C.GoString(name))
	}
}

func loadGuard(options *GuardOptions, load func(*C.q3g_guard_options, **C.q3g_guard, *C.q3g_error) C.q3g_status) (*Guard, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	if options == nil {
		options = &GuardOptions{}
	}
	var a arguments
	var raw C.q3g_guard_options
	C.q3g_guard_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw.n_threads = a.int32("GuardOptions.Threads", options.Threads)
	raw.max_context_tokens = a.int32("GuardOptions.MaxContextTokens", options.MaxContextTokens)
	raw.require_tokenizer = cbool(!options.WithoutTokenizer)
	raw.verify = C.int32_t(options.Verify)
	if options.KeptTokens != 0 {
		raw.kept_tokens = a.int32("GuardOptions.KeptTokens", max(options.KeptTokens, 0))
	}
	if isa := a.noNUL("GuardOptions.ISA", options.ISA); isa != "" {
		raw.isa = C.CString(isa)
		defer C.free(unsafe.Pointer(raw.isa))
	}
	raw.unknown_template = cbool(options.RefuseUnknownTemplate)
	if known := a.noNUL("GuardOptions.KnownTemplate", options.KnownTemplate); known != "" {
		raw.known_template = C.CString(known)
		defer C.free(unsafe.Pointer(raw.known_template))
	}
	if a.err != nil {
		return nil, a.err
	}
	var handle *C.q3g_guard
	slot := newSlot()
	var status C.q3g_status
	if options.Log == nil {
		status = load(&raw, &handle, &slot)
	} else {
		defer func() { // a panic in the callback comes when the model may be loaded already
			if p := recover(); p != nil {
				C.q3g_guard_free(handle)
				panic(p)
			}
		}()
		c := callback{log: options.Log}
		c.with(func(user unsafe.Pointer) {
			raw.log, raw.log_user = logFn(), user
			status = load(&raw, &handle, &slot)
		})
	}
	if err := errorOf(status, &slot); err != nil {
		return nil, err
	}
	out := &Guard{handle: handle, life: life{what: "guard", free: func() { C.q3g_guard_free(handle) }}}
	runtime.SetFinalizer(out, (*Guard).Close)
	return out, nil
}

// Load loads a checkpoint folder or a packed file. options may be nil.
func Load(path string, options *GuardOptions) (*Guard, error) {
	return loadGuard(options, func(raw *C.q3g_guard_options, out **C.q3g_guard, err *C.q3g_error) C.q3g_status {
		p, n := text(path)
		return C.q3g_guard_load(p, n, raw, out, err)
	})
}

// LoadEmbedded loads a model of the library.
func LoadEmbedded(name string, options *GuardOptions) (*Guard, error) {
	return loadGuard(options, func(raw *C.q3g_guard_options, out **C.q3g_guard, err *C.q3g_error) C.q3g_status {
		p, n := text(name)
		return C.q3g_guard_load_embedded(p, n, raw, out, err)
	})
}

// LoadMemory loads a packed model's bytes, of which the library keeps a copy outside of Go's memory.
func LoadMemory(packed []byte, options *GuardOptions) (*Guard, error) {
	return LoadFiles(map[string][]byte{"model.q3g": packed}, options)
}

// fileAlignment is that of matrices which the kernels read without a copy.
const fileAlignment = 64

// LoadFiles loads a checkpoint's files by name, as LoadMemory does.
func LoadFiles(files map[string][]byte, options *GuardOptions) (*Guard, error) {
	var a arguments
	size := fileAlignment // the block begins anywhere
	for name, data := range files {
		size += spaceOf(a.noNUL("a file's name", name), data)
	}
	if a.err != nil {
		return nil, a.err
	}
	var noMemory error
	guard, err := loadGuard(options, func(o *C.q3g_guard_options, out **C.q3g_guard, err *C.q3g_error) C.q3g_status {
		block := C.q3gGoAllocate(C.size_t(size)) // the library frees it, also when it cannot load the files
		if block == nil {
			noMemory = &Error{StatusOutOfMemory, fmt.Sprintf("no memory for a copy of the files, %d bytes", size)}
			return C.Q3G_E_OUT_OF_MEMORY
		}
		raw := copyFiles(unsafe.Slice((*byte)(block), size), files)
		return C.q3gGoLoadMemory(unsafe.SliceData(raw), C.size_t(len(raw)), block, o, out, err)
	})
	if noMemory != nil {
		return nil, noMemory
	}
	return guard, err
}

// spaceOf is what a file and its name with a NUL take, up to where the next one may begin.
func spaceOf(name string, data []byte) int {
	return (len(data) + len(name) + 1 + fileAlignment - 1) / fileAlignment * fileAlignment
}

// copyFiles copies the files and their names into a block of C's memory; every file begins on a boundary.
func copyFiles(block []byte, files map[string][]byte) []C.q3g_file {
	begin := uintptr(unsafe.Pointer(&block[0]))
	block = block[(fileAlignment-begin%fileAlignment)%fileAlignment:]
	raw := make([]C.q3g_file, 0, len(files))
	for name, data := range files {
		file := C.q3g_file{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_file{})), n_bytes: C.size_t(len(data))}
		n := copy(block, data)
		block[n+copy(block[n:], name)] = 0
		file.bytes, file.name = unsafe.Pointer(&block[0]), (*C.char)(unsafe.Pointer(&block[n]))
		raw = append(raw, file)
		block = block[spaceOf(name, data):]
	}
	return raw
}

// Close frees the guard, once; calls that run end first. What was made from it lives on.
func (g *Guard) Close() {
	g.life.close()
	runtime.SetFinalizer(g, nil)
}

func (g *Guard) run(call func(err *C.q3g_error) C.q3g_status) error {
	if err := g.life.enter(); err != nil {
		return err
	}
	defer g.life.leave()
	slot := newSlot()
	return errorOf(call(&slot), &slot)
}

// Info is what the model is.
func (g *Guard) Info() (ModelInfo, error) {
	raw := C.q3g_model_info{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_model_info{}))}
	err := g.run(func(err *C.q3g_error) C.q3g_status { return C.q3g_guard_info(g.handle, &raw, err) })
	return modelInfoOf(&raw), err
}

// Tokenizer is the model's, as an object of its own.
func (g *Guard) Tokenizer() (*Tokenizer, error) {
	if err := g.life.enter(); err != nil {
		return nil, err
	}
	defer g.life.leave()
	return newTokenizer(func(out **C.q3g_tokenizer, err *C.q3g_error) C.q3g_status {
		return C.q3g_guard_tokenizer(g.handle, out, err)
	})
}

// Logits are the raw logits of every head for ids, of the last position only when lastOnly.
func (g *Guard) Logits(ctx context.Context, ids []int32, lastOnly bool) ([]HeadLogits, error) {
	var all *C.q3g_logits
	err := cancellable(ctx, func(flag *C.q3g_cancel) error {
		return g.run(func(err *C.q3g_error) C.q3g_status {
			p, n := idsOf(ids)
			return C.q3g_guard_logits(g.handle, p, n, cbool(lastOnly), flag, &all, err)
		})
	})
	if err != nil {
		return nil, err
	}
	defer C.q3g_logits_free(all)
	out := make([]HeadLogits, int(C.q3g_logits_count(all)))
	for i := range out {
		slot, raw := newSlot(), C.q3g_head_logits{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_head_logits{}))}
		if err := errorOf(C.q3g_logits_get(all, C.size_t(i), &raw, &slot), &slot); err != nil {
			return nil, err
		}
		values := unsafe.Slice((*float32)(unsafe.Pointer(raw.values)), int(raw.rows)*int(raw.cols))
		out[i] = HeadLogits{C.GoString(raw.name), int(raw.rows), int(raw.cols), append([]float32(nil), values...)}
	}
	return out, nil
}
