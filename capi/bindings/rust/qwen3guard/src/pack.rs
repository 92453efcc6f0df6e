// SPDX-License-Identifier: Apache-2.0
//! Packing.
use std::path::Path;

use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    callback::{with_progress, Progress},
    error::call,
    load::path_bytes,
    Cancel, PackedEmbeddings, PackedWeights, QuantizeReport, Result,
};

/// Which model: a folder (or file), or one of the library.
#[derive(Clone, Copy, Debug)]
pub enum Model<'a> {
    /// A checkpoint folder or a packed file.
    Path(&'a Path),
    /// One of [`embedded_models`](crate::embedded_models).
    Embedded(&'a str),
}

/// How a checkpoint is packed.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuantizeOptions<'a> {
    /// How matrices are stored.
    pub weights: PackedWeights,
    /// Columns that share a scale; None: the default.
    pub group_size: Option<i32>,
    /// How the tables with a row for each token are stored.
    pub embeddings: PackedEmbeddings,
    /// Replace an existing file.
    pub overwrite: bool,
    /// Gen: store what the model computes for the constant part of its prompt.
    pub keep_prefix: bool,
    /// 0: all cores.
    pub n_threads: i32,
    /// Stops the call from another thread; no file appears then.
    pub cancel: Option<&'a Cancel>,
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
    raw.embeddings = options.embeddings as i32;
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
    Ok(QuantizeReport::of(&report))
}

/// Compares every checksum of a packed file, which takes as long as reading it. Any thread. Errors: `FileNotFound`, `Io`,
/// `BadCheckpoint` (what is damaged), `Cancelled`.
pub fn verify_packed(file: impl AsRef<Path>, cancel: Option<&Cancel>) -> Result<()> {
    let (path, flag) = (path_bytes(file.as_ref()), Cancel::ptr(cancel));
    call(|err| unsafe { sys::q3g_verify_packed(path.as_ptr().cast(), path.len(), flag, err) })
}
