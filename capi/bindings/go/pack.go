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

// PackedWeights says how matrices are stored in a packed file.
type PackedWeights int32

// The ways to store matrices.
const (
	PackedBF16 PackedWeights = C.Q3G_PACKED_BF16
	PackedInt8 PackedWeights = C.Q3G_PACKED_INT8
	PackedInt4 PackedWeights = C.Q3G_PACKED_INT4
)

// String is "bf16", "int8" or "int4".
func (p PackedWeights) String() string { return nameOf(int32(p), "bf16", "int8", "int4") }

// QuantizeOptions say how a checkpoint is packed.
type QuantizeOptions struct {
	Weights    PackedWeights // the zero value is PackedBF16, without loss
	GroupSize  int           // columns that share a scale; 0: the default
	Overwrite  bool          // replace an existing file
	KeepPrefix bool          // Gen: store what the model computes for the constant part of its prompt
	Threads    int           // 0: all cores
	Embedded   bool          // the model is one of the library
	Progress   Progress
}

// QuantizeReport tells what packing did.
type QuantizeReport struct {
	SourceBytes, FileBytes int64
	Seconds                float64
	WeightDtype            string
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
	return QuantizeReport{
		int64(report.source_bytes), int64(report.file_bytes), float64(report.seconds), C.GoString(&report.weight_dtype[0]),
	}, nil
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

// MeasureOptions say how a model is measured.
type MeasureOptions struct {
	Threads  int    // 0: all cores
	Quick    bool   // coarse
	ISA      string // instruction set; "": the best there is
	Embedded bool   // the model is one of the library
}

// Measurement has figures of one model on this machine.
type Measurement struct {
	Int8Gops, BF16Gflops, FP32Gflops, ReadGBs float64
	LoadMs, PeakRSSMB                         float64
	WeightBytesPerToken                       int64
	Prefill128Ms, Prefill512Ms, DecodeMs      float64
	VerdictMs, VerdictWholeMs                 float64
}

// Measure measures a model for some 10 seconds.
func Measure(ctx context.Context, model string, options MeasureOptions) (Measurement, error) {
	if err := checkLibrary(); err != nil {
		return Measurement{}, err
	}
	var a arguments
	var raw C.q3g_measure_options
	C.q3g_measure_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw.n_threads, raw.quick = a.int32("MeasureOptions.Threads", options.Threads), cbool(options.Quick)
	if isa := a.noNUL("MeasureOptions.ISA", options.ISA); isa != "" {
		raw.isa = C.CString(isa)
		defer C.free(unsafe.Pointer(raw.isa))
	}
	if a.err != nil {
		return Measurement{}, a.err
	}
	out := C.q3g_measurement{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_measurement{}))}
	err := cancellable(ctx, func(flag *C.q3g_cancel) error {
		raw.cancel = flag
		slot := newSlot()
		p, n := text(model)
		if options.Embedded {
			return errorOf(C.q3g_measure_embedded(p, n, &raw, &out, &slot), &slot)
		}
		return errorOf(C.q3g_measure(p, n, &raw, &out, &slot), &slot)
	})
	if err != nil {
		return Measurement{}, err
	}
	return Measurement{
		float64(out.int8_gops), float64(out.bf16_gflops), float64(out.fp32_gflops), float64(out.read_gb_s),
		float64(out.load_ms), float64(out.peak_rss_mb), int64(out.weight_bytes_per_token),
		float64(out.prefill_128_ms), float64(out.prefill_512_ms), float64(out.decode_ms),
		float64(out.verdict_ms), float64(out.verdict_whole_ms),
	}, nil
}
