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
//! **Threads.** [`Guard`], [`Tokenizer`], [`Policy`], [`Batch`] and [`Cancel`] are `Send + Sync`; [`Stream`], [`HoldBack`],
//! [`StreamingDecoder`] and [`Generator`] are `Send` only: they may move to another thread, but serve one at a time.
//!
//! ```compile_fail,E0277
//! fn sync<T: Sync>() {}
//! sync::<qwen3guard::Stream>();
//! ```
//!
//! **Errors.** A call that fails has changed nothing, unless its text says otherwise; [`Error::kind`] is to branch on.
//!
//! **Not judged** is a value of its own: [`Severity::NotJudged`] and [`Action::None`] are the defaults, and compare with
//! nothing. A [`Decision`] is Safe only when it is complete. Treat what was not judged as an error.
//!
//! **Text** is UTF-8 and may hold NUL. Functions take `impl AsRef<[u8]>`, so bytes from a network need no check before;
//! what is not UTF-8 is [`ErrorKind::InvalidUtf8`], or judged as U+FFFD when [`InvalidUtf8::Replace`] says so.
//!
//! **Panics** in a closure stop the call, where it can be stopped, and go on in the caller's frame.
//!
//! **Memory.** Everything is freed when it is dropped, in any order: a stream keeps its model alive.
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod allocator;
mod batch;
mod c;
mod callback;
mod cancel;
mod classify;
mod enums;
mod error;
mod events;
mod generator;
mod guard;
mod hold_back;
mod hold_back_async;
mod judge;
mod load;
mod pack;
mod policy;
mod ruling;
mod stepper;
mod stream;
mod stream_options;
mod tokenizer;
#[rustfmt::skip]
mod value_structs;
mod values;
mod verdict;

pub use allocator::Allocator;
pub use batch::{Batch, BatchOptions};
pub use callback::Progress;
pub use cancel::Cancel;
pub use classify::{ClassifyOptions, NotJudged};
pub use enums::{
    Action, Category, ChatTemplate, Context, Decoder, HoldBackState, InvalidUtf8, LogLevel, LongText, ModelKind,
    PackedEmbeddings, PackedWeights, Reason, Role, Rule, Severity, Source, SpecialTokens, Thinking, Verify,
};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, EventKind, Events};
pub use generator::{Generator, SamplingOptions, Tokens};
pub use guard::{Guard, HeadLogits};
pub use hold_back::{HoldBack, HoldBackBlock, HoldBackError, HoldBackOptions, HoldBackRelease, Shown};
pub use hold_back_async::ShownAsync;
pub use judge::{Blocked, Judge, JudgedWriter, Unjudged};
pub use load::{embedded_models, GuardOptions, Log};
pub use pack::{quantize, verify_packed, Model, QuantizeOptions};
pub use policy::Policy;
pub use ruling::Ruling;
pub use stream::{push_batch, Stream, StreamRef};
pub use stream_options::StreamOptions;
pub use tokenizer::{StreamingDecoder, Tokenizer};
pub use value_structs::{BatchStats, HoldBackStats, ModelInfo, QuantizeReport, StreamInfo};
pub use values::{Decision, DecisionToken, Mark, Message, Probabilities, TokenVerdict, Turn, Update};
pub use verdict::{Verdict, Window};

/// Version of the C library in use, as "major.minor.patch".
#[must_use]
pub fn version() -> &'static str {
    // SAFETY: static storage.
    unsafe { c::static_text(qwen3guard_sys::q3g_version()) }
}

/// Version of the C interface that the library in use was built with. This crate works with
/// `qwen3guard_sys::Q3G_ABI_VERSION`; every call to another library is [`ErrorKind::IncompatibleLibrary`].
#[must_use]
pub fn abi_version() -> u32 {
    // SAFETY: it takes nothing and always answers.
    unsafe { qwen3guard_sys::q3g_abi_version() }
}
