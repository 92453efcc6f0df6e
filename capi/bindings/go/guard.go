// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
#include <stdlib.h>
#include <string.h>

void q3gGoLog(void* user, int32_t level, char* line, size_t line_bytes);
static void q3gGoFree(void* user) { free(user); }
static void q3gGoSetLog(q3g_guard_options* options, void* user) {
	options->log = (q3g_log_fn)q3gGoLog;
	options->log_user = user;
}
static q3g_status q3gGoLoadMemory(q3g_file* files, size_t n, void* block, q3g_guard_options* options,
                                  q3g_guard** out, q3g_error* err) {
	return q3g_guard_load_memory(files, n, q3gGoFree, block, options, out, err);
}
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// Guard is a loaded model. Any number of goroutines.
type Guard struct {
	handle *C.q3g_guard
}

// GuardOptions says how a model is loaded. Custom memory for large blocks (q3g_allocator) is for programs in C.
type GuardOptions struct {
	Threads          int    // of one call; 0: all cores
	MaxContextTokens int    // 0: the checkpoint's own
	KeptTokens       int    // Gen: of the last conversations; 0: the default, below 0: none
	WithoutTokenizer bool   // a model without tokenizer files loads, for logits only
	ISA              string // instruction set; "": the best there is
	Log              func(level int, line string)
}

// ModelInfo is what a model is.
type ModelInfo struct {
	Kind                                                   ModelKind
	Architecture, WeightDtype, ISA                         string
	ISAAvailable                                           []string
	HiddenSize, Layers, Heads, KVHeads, HeadDim            int
	IntermediateSize, VocabSize, MaxContextTokens, Threads int
	TiedEmbeddings                                         bool
	Parameters, WeightBytes, KVBytesPerToken               int64
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
	if options == nil {
		options = &GuardOptions{}
	}
	var raw C.q3g_guard_options
	C.q3g_guard_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw.n_threads, raw.max_context_tokens = C.int32_t(options.Threads), C.int32_t(options.MaxContextTokens)
	raw.require_tokenizer = cbool(!options.WithoutTokenizer)
	if options.KeptTokens != 0 {
		raw.kept_tokens = C.int32_t(max(options.KeptTokens, 0))
	}
	if options.ISA != "" {
		raw.isa = C.CString(options.ISA)
		defer C.free(unsafe.Pointer(raw.isa))
	}
	out, slot := &Guard{}, newSlot()
	var status C.q3g_status
	if options.Log == nil {
		status = load(&raw, &out.handle, &slot)
	} else {
		c := callback{log: options.Log}
		c.with(func(user unsafe.Pointer) {
			C.q3gGoSetLog(&raw, user)
			status = load(&raw, &out.handle, &slot)
		})
	}
	if err := errorOf(status, &slot); err != nil {
		return nil, err
	}
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

// LoadFiles loads a checkpoint's files by name, as LoadMemory does.
func LoadFiles(files map[string][]byte, options *GuardOptions) (*Guard, error) {
	const alignment = 64 // what the kernels read without a copy
	size := 0
	for name, data := range files {
		size += (len(data)+alignment-1)/alignment*alignment + len(name) + 1 + alignment
	}
	block := C.malloc(C.size_t(size + alignment)) // freed by the library
	at := (alignment - uintptr(block)%alignment) % alignment
	raw := make([]C.q3g_file, 0, len(files))
	put := func(data []byte, n int) unsafe.Pointer {
		out := unsafe.Add(block, at)
		copy(unsafe.Slice((*byte)(out), n), data)
		at += uintptr(n)
		return out
	}
	for name, data := range files {
		file := C.q3g_file{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_file{})), n_bytes: C.size_t(len(data))}
		file.bytes = put(data, len(data))
		file.name = (*C.char)(put(append([]byte(name), 0), len(name)+1))
		at = (at + alignment - 1) / alignment * alignment
		at += (alignment - (uintptr(block)+at)%alignment) % alignment
		raw = append(raw, file)
	}
	return loadGuard(options, func(o *C.q3g_guard_options, out **C.q3g_guard, err *C.q3g_error) C.q3g_status {
		return C.q3gGoLoadMemory(unsafe.SliceData(raw), C.size_t(len(raw)), block, o, out, err)
	})
}

// Close frees the handle; what was made from the guard lives on.
func (g *Guard) Close() {
	C.q3g_guard_free(g.handle)
	g.handle = nil
	runtime.SetFinalizer(g, nil)
}

// Info is what the model is.
func (g *Guard) Info() (ModelInfo, error) {
	defer runtime.KeepAlive(g)
	raw := C.q3g_model_info{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_model_info{}))}
	slot := newSlot()
	if err := errorOf(C.q3g_guard_info(g.handle, &raw, &slot), &slot); err != nil {
		return ModelInfo{}, err
	}
	return ModelInfo{
		Kind: ModelKind(raw.kind), Architecture: C.GoString(&raw.architecture[0]), WeightDtype: C.GoString(&raw.weight_dtype[0]),
		ISA: C.GoString(&raw.isa[0]), ISAAvailable: strings.Fields(C.GoString(&raw.isa_available[0])),
		HiddenSize: int(raw.hidden_size), Layers: int(raw.n_layers), Heads: int(raw.n_heads), KVHeads: int(raw.n_kv_heads),
		HeadDim: int(raw.head_dim), IntermediateSize: int(raw.intermediate_size), VocabSize: int(raw.vocab_size),
		MaxContextTokens: int(raw.max_context_tokens), Threads: int(raw.n_threads), TiedEmbeddings: raw.tied_embeddings != 0,
		Parameters: int64(raw.n_parameters), WeightBytes: int64(raw.weight_bytes), KVBytesPerToken: int64(raw.kv_bytes_per_token),
	}, nil
}

// Tokenizer is the model's, as an object of its own.
func (g *Guard) Tokenizer() (*Tokenizer, error) {
	defer runtime.KeepAlive(g)
	return newTokenizer(func(out **C.q3g_tokenizer, err *C.q3g_error) C.q3g_status {
		return C.q3g_guard_tokenizer(g.handle, out, err)
	})
}

// Logits are the raw logits of every head for ids, of the last position only when lastOnly.
func (g *Guard) Logits(ids []int32, lastOnly bool) ([]HeadLogits, error) {
	defer runtime.KeepAlive(g)
	var all *C.q3g_logits
	slot := newSlot()
	p, n := idsOf(ids)
	if err := errorOf(C.q3g_guard_logits(g.handle, p, n, cbool(lastOnly), &all, &slot), &slot); err != nil {
		return nil, err
	}
	defer C.q3g_logits_free(all)
	var out []HeadLogits
	for i := C.size_t(0); i < C.q3g_logits_count(all); i++ {
		raw := C.q3g_head_logits{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_head_logits{}))}
		if err := errorOf(C.q3g_logits_get(all, i, &raw, &slot), &slot); err != nil {
			return nil, err
		}
		values := unsafe.Slice((*float32)(unsafe.Pointer(raw.values)), int(raw.rows)*int(raw.cols))
		out = append(out, HeadLogits{C.GoString(raw.name), int(raw.rows), int(raw.cols), append([]float32(nil), values...)})
	}
	return out, nil
}
