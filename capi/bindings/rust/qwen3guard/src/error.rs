// SPDX-License-Identifier: Apache-2.0
use std::{ffi::CStr, fmt};

use qwen3guard_sys as sys;

/// Why a call failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A parameter breaks the function's contract.
    InvalidArgument,
    /// A path, or an embedded model, does not exist.
    FileNotFound,
    /// The operating system refused to open, map, read or write.
    Io,
    /// A model file is damaged.
    BadCheckpoint,
    /// A tokenizer file is damaged or missing.
    BadTokenizer,
    /// A sound file that asks for what the library does not have.
    UnsupportedModel,
    /// The forced instruction set is unknown or missing on this CPU.
    UnsupportedIsa,
    /// Text is not UTF-8; the message has the byte offset.
    InvalidUtf8,
    /// A token id is not in the vocabulary.
    TokenRange,
    /// More tokens than the context has room for.
    ContextFull,
    /// Greedy decoding wrote something that is no verdict.
    UnparsableOutput,
    /// An allocation failed.
    OutOfMemory,
    /// A bug in the library.
    Internal,
    /// A [`Cancel`](crate::Cancel) or a callback asked to stop.
    Cancelled,
    /// A batch's bound on memory or on waiting text.
    BudgetExceeded,
    /// A status of a newer library.
    Other(i32),
}

impl ErrorKind {
    fn of(status: i32) -> Self {
        match status {
            sys::Q3G_E_INVALID_ARGUMENT => Self::InvalidArgument,
            sys::Q3G_E_FILE_NOT_FOUND => Self::FileNotFound,
            sys::Q3G_E_IO => Self::Io,
            sys::Q3G_E_BAD_CHECKPOINT => Self::BadCheckpoint,
            sys::Q3G_E_BAD_TOKENIZER => Self::BadTokenizer,
            sys::Q3G_E_UNSUPPORTED_MODEL => Self::UnsupportedModel,
            sys::Q3G_E_UNSUPPORTED_ISA => Self::UnsupportedIsa,
            sys::Q3G_E_INVALID_UTF8 => Self::InvalidUtf8,
            sys::Q3G_E_TOKEN_RANGE => Self::TokenRange,
            sys::Q3G_E_CONTEXT_FULL => Self::ContextFull,
            sys::Q3G_E_UNPARSABLE_OUTPUT => Self::UnparsableOutput,
            sys::Q3G_E_OUT_OF_MEMORY => Self::OutOfMemory,
            sys::Q3G_E_INTERNAL => Self::Internal,
            sys::Q3G_E_CANCELLED => Self::Cancelled,
            sys::Q3G_E_BUDGET_EXCEEDED => Self::BudgetExceeded,
            other => Self::Other(other),
        }
    }
}

/// A failure: a kind to branch on, and one sentence that says what was wrong, where and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    status: i32,
    message: String,
}

impl Error {
    /// The kind to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn of(status: i32, slot: &sys::q3g_error) -> Self {
        // The library ends every message with a NUL.
        let message = unsafe { CStr::from_ptr(slot.message.as_ptr()) };
        Self { kind: ErrorKind::of(status), status, message: message.to_string_lossy().into_owned() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", crate::values::static_text(unsafe { sys::q3g_status_name(self.status) }), self.message)
    }
}

impl std::error::Error for Error {}

/// What every fallible function returns.
pub type Result<T> = std::result::Result<T, Error>;

/// An empty error slot. Only its first bytes are written: the rest is read only up to the library's NUL.
pub(crate) fn slot() -> sys::q3g_error {
    sys::q3g_error { struct_size: crate::size::<sys::q3g_error>(), code: 0, message: [0; 504] }
}

/// Runs a call that ends in an error slot.
pub(crate) fn call(function: impl FnOnce(*mut sys::q3g_error) -> i32) -> Result<()> {
    let mut slot = slot();
    match function(&mut slot) {
        sys::Q3G_OK => Ok(()),
        status => Err(Error::of(status, &slot)),
    }
}
