// SPDX-License-Identifier: Apache-2.0
//! The Qwen3Guard safety-moderation models on a CPU.
//!
//! ```
//! # fn main() -> qwen3guard::Result<()> {
//! let guard = qwen3guard::Guard::embedded("nano-gen")?; // or Guard::load("path/to/Qwen3Guard-Gen-0.6B")
//! let verdict = guard.classify_prompt("How do I kill a Python process?")?;
//! assert_eq!(verdict.severity, qwen3guard::Severity::Safe);
//! # Ok(())
//! # }
//! ```
//!
//! Threads: [`Guard`], [`Tokenizer`], [`Batch`] and [`Cancel`] are `Send + Sync`; [`Stream`], [`StreamingDecoder`] and
//! [`Generator`] are `Send` only. Everything is freed when it is dropped, in any order.
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod batch;
mod callback;
mod error;
mod generator;
mod guard;
mod pack;
mod policy;
mod stream;
mod tokenizer;
mod values;

use std::ffi::c_char;

pub use batch::{Batch, BatchOptions, BatchStats, Event, EventKind};
pub use callback::Progress;
pub use error::{Error, ErrorKind, Result};
pub use generator::{Generator, SamplingOptions};
pub use guard::{
    embedded_models, Allocator, Cancel, ClassifyOptions, Decoder, Guard, GuardOptions, HeadLogits, InvalidUtf8, Log,
    LogLevel, Mode, ModelInfo,
};
pub use pack::{
    measure, quantize, verify_packed, MeasureOptions, Measurement, Model, PackedWeights, QuantizeOptions,
    QuantizeReport,
};
pub use policy::{decide, decide_action, EndOfTurn, Policy};
pub use stream::{push_batch, Context, Stream, StreamInfo, StreamOptions, Thinking};
pub use tokenizer::{SpecialTokens, StreamingDecoder, Tokenizer};
pub use values::{
    Action, Category, Decision, Mark, Message, ModelKind, Probabilities, Reason, Role, Severity, Source, TokenVerdict,
    Turn, Update, Verdict,
};

/// Version of the C library in use.
pub fn version() -> &'static str {
    values::static_text(unsafe { sys::q3g_version() })
}

/// Version of the C interface that the library in use was built with; that of this crate is
/// `qwen3guard_sys::Q3G_ABI_VERSION`.
pub fn abi_version() -> u32 {
    unsafe { sys::q3g_abi_version() }
}

use qwen3guard_sys as sys;

/// sizeof, as the C interface wants it.
pub(crate) fn size<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

/// Only for structs of the C interface: all zeros is a value of every one of them.
pub(crate) fn zeroed<T: Copy>() -> T {
    unsafe { std::mem::zeroed() }
}

/// A struct of the C interface with its size, which comes first, and zeros.
pub(crate) fn sized<T: Copy>() -> T {
    let mut out: T = zeroed();
    unsafe { *(&mut out as *mut T).cast::<u32>() = size::<T>() };
    out
}

/// Text of unknown size: asked for with a buffer that is nearly always large enough, and again when it is not.
pub(crate) fn text_of(
    mut read: impl FnMut(*mut c_char, usize, *mut usize, *mut sys::q3g_error) -> i32,
) -> Result<String> {
    let mut buffer = vec![0u8; 512];
    loop {
        let (mut n, mut slot) = (0, error::slot());
        match read(buffer.as_mut_ptr().cast(), buffer.len(), &mut n, &mut slot) {
            sys::Q3G_OK => {
                buffer.truncate(n);
                return Ok(String::from_utf8(buffer).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into()));
            }
            sys::Q3G_E_BUFFER_TOO_SMALL => buffer.resize(n, 0),
            status => return Err(Error::of(status, &slot)),
        }
    }
}

/// Owns a handle of the C interface.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $free:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            pub(crate) raw: std::ptr::NonNull<crate::sys::$raw>,
        }
        impl $name {
            /// `make` writes the handle.
            #[allow(dead_code)]
            pub(crate) fn make(
                make: impl FnOnce(*mut *mut crate::sys::$raw, *mut crate::sys::q3g_error) -> i32,
            ) -> crate::Result<Self> {
                let mut raw = std::ptr::null_mut();
                crate::error::call(|err| make(&mut raw, err))?;
                Ok(Self { raw: std::ptr::NonNull::new(raw).expect("the library gives a handle with Q3G_OK") })
            }
        }
        impl Drop for $name {
            fn drop(&mut self) {
                unsafe { crate::sys::$free(self.raw.as_ptr()) }
            }
        }
    };
}
pub(crate) use handle;
