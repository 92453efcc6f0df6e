// SPDX-License-Identifier: Apache-2.0
//! Packing and measuring.
use std::path::Path;

use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized, text_of_chars},
    callback::{with_progress, Progress},
    error::call,
    load::{c_string, path_bytes},
    Cancel, Result,
};

/// Which model: a folder (or file), or one of the library.
#[derive(Clone, Copy, Debug)]
pub enum Model<'a> {
    /// A checkpoint folder or a packed file.
    Path(&'a Path),
    /// One of [`embedded_models`](crate::embedded_models).
    Embedded(&'a str),
}

/// How matrices are stored in a packed file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PackedWeights {
    /// No loss for the published checkpoints.
    Bf16 = 0,
    /// 8 bits and a scale for each group.
    #[default]
    Int8 = 1,
    /// 4 bits and a scale for each group.
    Int4 = 2,
}

/// How a checkpoint is packed.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuantizeOptions<'a> {
    /// How matrices are stored.
    pub weights: PackedWeights,
    /// Columns that share a scale; None: the default.
    pub group_size: Option<i32>,
    /// Replace an existing file.
    pub overwrite: bool,
    /// Gen: store what the model computes for the constant part of its prompt.
    pub keep_prefix: bool,
    /// 0: all cores.
    pub n_threads: i32,
    /// Stops the call from another thread; no file appears then.
    pub cancel: Option<&'a Cancel>,
}

/// What packing did.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizeReport {
    /// Bytes of the checkpoint's weights.
    pub source_bytes: i64,
    /// Bytes of the packed file.
    pub file_bytes: i64,
    /// Time that it took.
    pub seconds: f64,
    /// How matrices are stored now, e.g. "int8".
    pub weight_dtype: String,
}

/// Packs a checkpoint into one file, which appears complete or not at all. `progress` counts bytes. Any thread. Errors:
/// those of [`Guard::load`](crate::Guard::load); `Io` (the output exists), `Cancelled`.
pub fn quantize(
    model: Model<'_>,
    out_file: impl AsRef<Path>,
    options: QuantizeOptions<'_>,
    progress: Option<&mut Progress<'_>>,
) -> Result<QuantizeReport> {
    let mut raw = defaults(sys::q3g_quantize_options_init);
    raw.type_ = options.weights as i32;
    raw.group_size = options.group_size.unwrap_or(-1);
    raw.overwrite = options.overwrite.into();
    raw.keep_prefix = options.keep_prefix.into();
    raw.n_threads = options.n_threads;
    raw.cancel = Cancel::ptr(options.cancel);
    let (out, mut report) = (path_bytes(out_file.as_ref()), sized::<sys::q3g_quantize_report>());
    with_progress(progress, |function, user| {
        (raw.progress, raw.progress_user) = (function, user);
        call(|err| unsafe {
            let (to, n) = (out.as_ptr().cast(), out.len());
            match model {
                Model::Path(path) => {
                    let path = path_bytes(path);
                    sys::q3g_quantize(path.as_ptr().cast(), path.len(), to, n, &raw, &mut report, err)
                }
                Model::Embedded(name) => {
                    sys::q3g_quantize_embedded(name.as_ptr().cast(), name.len(), to, n, &raw, &mut report, err)
                }
            }
        })
    })?;
    Ok(QuantizeReport {
        source_bytes: report.source_bytes,
        file_bytes: report.file_bytes,
        seconds: report.seconds,
        weight_dtype: text_of_chars(&report.weight_dtype),
    })
}

/// Compares every checksum of a packed file, which takes as long as reading it. Any thread. Errors: `FileNotFound`, `Io`,
/// `BadCheckpoint` (what is damaged), `Cancelled`.
pub fn verify_packed(file: impl AsRef<Path>, cancel: Option<&Cancel>) -> Result<()> {
    let (path, flag) = (path_bytes(file.as_ref()), Cancel::ptr(cancel));
    call(|err| unsafe { sys::q3g_verify_packed(path.as_ptr().cast(), path.len(), flag, err) })
}

/// How a model is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasureOptions<'a> {
    /// 0: all cores.
    pub n_threads: i32,
    /// Coarse.
    pub quick: bool,
    /// Instruction set, as in [`GuardOptions`](crate::GuardOptions); empty: the best there is.
    pub isa: &'a str,
    /// Stops the call from another thread.
    pub cancel: Option<&'a Cancel>,
}

/// Figures of one model on this machine.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// Peak of int8 kernels, in 10^9 operations a second.
    pub int8_gops: f64,
    /// Peak of bf16 kernels, in 10^9 operations a second.
    pub bf16_gflops: f64,
    /// Peak of float32 kernels, in 10^9 operations a second.
    pub fp32_gflops: f64,
    /// Reading memory, in 10^9 bytes a second.
    pub read_gb_s: f64,
    /// Loading, in milliseconds.
    pub load_ms: f64,
    /// The process' largest resident memory, in 10^6 bytes.
    pub peak_rss_mb: f64,
    /// Bytes of weights that a token reads.
    pub weight_bytes_per_token: i64,
    /// A prompt of 128 tokens, in milliseconds.
    pub prefill_128_ms: f64,
    /// A prompt of 512 tokens, in milliseconds.
    pub prefill_512_ms: f64,
    /// One more token, in milliseconds.
    pub decode_ms: f64,
    /// Gen: a verdict with the constant part of the prompt kept, in milliseconds; else 0.
    pub verdict_ms: f64,
    /// Gen: a verdict with nothing kept, in milliseconds; else 0.
    pub verdict_whole_ms: f64,
}

/// Measures a model on this machine for some 10 seconds. Any thread. Errors: those of
/// [`Guard::load`](crate::Guard::load); `Cancelled`.
pub fn measure(model: Model<'_>, options: MeasureOptions<'_>) -> Result<Measurement> {
    let isa = c_string(options.isa, "options.isa")?;
    let mut raw = defaults(sys::q3g_measure_options_init);
    (raw.n_threads, raw.quick) = (options.n_threads, options.quick.into());
    (raw.isa, raw.cancel) = (isa.as_ptr(), Cancel::ptr(options.cancel));
    let mut out: sys::q3g_measurement = sized();
    call(|err| unsafe {
        match model {
            Model::Path(path) => {
                let path = path_bytes(path);
                sys::q3g_measure(path.as_ptr().cast(), path.len(), &raw, &mut out, err)
            }
            Model::Embedded(name) => sys::q3g_measure_embedded(name.as_ptr().cast(), name.len(), &raw, &mut out, err),
        }
    })?;
    Ok(Measurement {
        int8_gops: out.int8_gops,
        bf16_gflops: out.bf16_gflops,
        fp32_gflops: out.fp32_gflops,
        read_gb_s: out.read_gb_s,
        load_ms: out.load_ms,
        peak_rss_mb: out.peak_rss_mb,
        weight_bytes_per_token: out.weight_bytes_per_token,
        prefill_128_ms: out.prefill_128_ms,
        prefill_512_ms: out.prefill_512_ms,
        decode_ms: out.decode_ms,
        verdict_ms: out.verdict_ms,
        verdict_whole_ms: out.verdict_whole_ms,
    })
}
