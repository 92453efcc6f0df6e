// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>

int32_t q3gGoProgress(void* user, int64_t n_done, int64_t n_total);
static void q3gGoSetPackProgress(q3g_quantize_options* options, void* user) {
	options->progress = q3gGoProgress;
	options->progress_user = user;
}
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

// QuantizeOptions say how a checkpoint is packed.
type QuantizeOptions struct {
	Weights    PackedWeights
	GroupSize  int  // columns that share a scale; 0: the default
	Overwrite  bool // replace an existing file
	KeepPrefix bool // Gen: store what the model computes for the constant part of its prompt
	Threads    int  // 0: all cores
	Embedded   bool // the model is one of the library
	Progress   Progress
}

// QuantizeReport tells what packing did.
type QuantizeReport struct {
	SourceBytes, FileBytes int64
	Seconds                float64
	WeightDtype            string
}

// Quantize packs a checkpoint into one file, which appears complete or not at all.
func Quantize(ctx context.Context, model, outFile string, options QuantizeOptions) (QuantizeReport, error) {
	var raw C.q3g_quantize_options
	C.q3g_quantize_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw._type, raw.n_threads = C.int32_t(options.Weights), C.int32_t(options.Threads)
	raw.overwrite, raw.keep_prefix = cbool(options.Overwrite), cbool(options.KeepPrefix)
	if options.GroupSize != 0 {
		raw.group_size = C.int32_t(options.GroupSize)
	}
	report := C.q3g_quantize_report{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_quantize_report{}))}
	slot := newSlot()
	var status C.q3g_status
	c := callback{progress: func(done, total int64) bool {
		return (ctx == nil || ctx.Err() == nil) && (options.Progress == nil || options.Progress(done, total))
	}}
	c.with(func(user unsafe.Pointer) {
		C.q3gGoSetPackProgress(&raw, user)
		a, n := text(model)
		b, m := text(outFile)
		if options.Embedded {
			status = C.q3g_quantize_embedded(a, n, b, m, &raw, &report, &slot)
		} else {
			status = C.q3g_quantize(a, n, b, m, &raw, &report, &slot)
		}
	})
	if err := errorOf(status, &slot); err != nil {
		return QuantizeReport{}, withContext(ctx, err)
	}
	return QuantizeReport{
		int64(report.source_bytes), int64(report.file_bytes), float64(report.seconds), C.GoString(&report.weight_dtype[0]),
	}, nil
}

// VerifyPacked compares every checksum of a packed file.
func VerifyPacked(file string) error {
	p, n := text(file)
	slot := newSlot()
	return errorOf(C.q3g_verify_packed(p, n, &slot), &slot)
}

// MeasureOptions say how a model is measured.
type MeasureOptions struct {
	Threads  int  // 0: all cores
	Quick    bool // coarse
	Embedded bool // the model is one of the library
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
func Measure(model string, options MeasureOptions) (Measurement, error) {
	var raw C.q3g_measure_options
	C.q3g_measure_options_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	raw.n_threads, raw.quick = C.int32_t(options.Threads), cbool(options.Quick)
	out := C.q3g_measurement{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_measurement{}))}
	slot := newSlot()
	p, n := text(model)
	var status C.q3g_status
	if options.Embedded {
		status = C.q3g_measure_embedded(p, n, &raw, &out, &slot)
	} else {
		status = C.q3g_measure(p, n, &raw, &out, &slot)
	}
	return Measurement{
		float64(out.int8_gops), float64(out.bf16_gflops), float64(out.fp32_gflops), float64(out.read_gb_s),
		float64(out.load_ms), float64(out.peak_rss_mb), int64(out.weight_bytes_per_token),
		float64(out.prefill_128_ms), float64(out.prefill_512_ms), float64(out.decode_ms),
		float64(out.verdict_ms), float64(out.verdict_whole_ms),
	}, errorOf(status, &slot)
}
