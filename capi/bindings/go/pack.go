// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"unsafe"
)

// QuantizeOptions say how a checkpoint is packed.
type QuantizeOptions struct {
	Weights    PackedWeights // the zero value is PackedBF16, without loss
	GroupSize  int           // columns that share a scale; 0: the default
	Embeddings PackedEmbeddings
	Overwrite  bool // replace an existing file
	KeepPrefix bool // Gen: store what the model computes for the constant part of its prompt
	Threads    int  // 0: all cores
	Embedded   bool // the model is one of the library
	Progress   Progress
}

// Quantize packs a checkpoint into one file, which appears complete or not at all, also when the context stops it.
func Quantize(ctx context.Context, model, outFile string, options QuantizeOptions) (QuantizeReport, error) {
	if err := checkLibrary(); err != nil {
		return QuantizeReport{}, err
	}
	var a arguments
	var raw C.q3g_quantize_options
	C.q3g_quantize_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw._type, raw.n_threads = C.int32_t(options.Weights), a.int32("QuantizeOptions.Threads", options.Threads)
	raw.embeddings = C.int32_t(options.Embeddings)
	raw.overwrite, raw.keep_prefix = cbool(options.Overwrite), cbool(options.KeepPrefix)
	if options.GroupSize != 0 {
		raw.group_size = a.int32("QuantizeOptions.GroupSize", options.GroupSize)
	}
	if a.err != nil {
		return QuantizeReport{}, a.err
	}
	report := C.q3g_quantize_report{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_quantize_report{}))}
	err := cancellable(ctx, func(flag *C.q3g_cancel) error {
		raw.cancel = flag
		slot := newSlot()
		var status C.q3g_status
		withProgress(options.Progress, func(progress C.q3g_progress_fn, user unsafe.Pointer) {
			raw.progress, raw.progress_user = progress, user
			a, n := text(model)
			b, m := text(outFile)
			if options.Embedded {
				status = C.q3g_quantize_embedded(a, n, b, m, &raw, &report, &slot)
			} else {
				status = C.q3g_quantize(a, n, b, m, &raw, &report, &slot)
			}
		})
		return errorOf(status, &slot)
	})
	if err != nil {
		return QuantizeReport{}, err
	}
	return quantizeReportOf(&report), nil
}

// VerifyPacked compares every checksum of a packed file, which takes as long as reading it.
func VerifyPacked(ctx context.Context, file string) error {
	if err := checkLibrary(); err != nil {
		return err
	}
	return cancellable(ctx, func(flag *C.q3g_cancel) error {
		p, n := text(file)
		slot := newSlot()
		return errorOf(C.q3g_verify_packed(p, n, flag, &slot), &slot)
	})
}
