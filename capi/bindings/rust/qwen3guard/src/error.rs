// SPDX-License-Identifier: Apache-2.0
use std::{
    fmt, io,
    sync::atomic::{AtomicBool, Ordering},
};

use qwen3guard_sys as sys;

use crate::c::{sized, static_text, text_of_chars};

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
    /// The C library in use has another version of the interface than this crate was written for.
    IncompatibleLibrary,
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
    name: &'static str,
    message: String,
}

impl Error {
    /// The kind to branch on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn of(status: i32, slot: &sys::q3g_error) -> Self {
        Self::new(status, text_of_chars(&slot.message))
    }

    fn new(status: i32, message: String) -> Self {
        // SAFETY: names have static storage, and every status has one.
        let name = unsafe { static_text(sys::q3g_status_name(status)) };
        Self { kind: ErrorKind::of(status), name, message }
    }

    /// For what cannot even be said to the library.
    pub(crate) fn invalid(message: String) -> Self {
        Self::new(sys::Q3G_E_INVALID_ARGUMENT, message)
    }

    pub(crate) fn out_of_memory(message: String) -> Self {
        Self::new(sys::Q3G_E_OUT_OF_MEMORY, message)
    }

    pub(crate) fn internal(message: String) -> Self {
        Self::new(sys::Q3G_E_INTERNAL, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for Error {}

/// Keeps the error as its source.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::FileNotFound => io::ErrorKind::NotFound,
            ErrorKind::InvalidArgument | ErrorKind::TokenRange => io::ErrorKind::InvalidInput,
            ErrorKind::InvalidUtf8 | ErrorKind::BadCheckpoint | ErrorKind::BadTokenizer => io::ErrorKind::InvalidData,
            ErrorKind::UnsupportedModel | ErrorKind::UnsupportedIsa => io::ErrorKind::Unsupported,
            ErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
            // Never Interrupted, which std::io takes for an order to try again.
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// What every fallible function returns.
pub type Result<T> = std::result::Result<T, Error>;

/// An empty error slot.
pub(crate) fn slot() -> sys::q3g_error {
    sized()
}

/// Fails unless the library's interface is this crate's.
fn check_abi(library: u32) -> Result<()> {
    if library == sys::Q3G_ABI_VERSION {
        return Ok(());
    }
    let message = format!(
        "libqwen3guard_c has version {library} of its interface; expected {}, for which this crate was written",
        sys::Q3G_ABI_VERSION
    );
    Err(Error { kind: ErrorKind::IncompatibleLibrary, name: "incompatible_library", message })
}

/// Runs a call that ends in an error slot; the first one looks at the library's version.
pub(crate) fn call(function: impl FnOnce(*mut sys::q3g_error) -> sys::q3g_status) -> Result<()> {
    static IS_CHECKED: AtomicBool = AtomicBool::new(false);
    if !IS_CHECKED.load(Ordering::Relaxed) {
        check_abi(crate::abi_version())?;
        IS_CHECKED.store(true, Ordering::Relaxed);
    }
    let mut slot = slot();
    match function(&mut slot) {
        sys::Q3G_OK => Ok(()),
        status => Err(Error::of(status, &slot)),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn another_version_of_the_interface_is_told() {
        check_abi(sys::Q3G_ABI_VERSION).unwrap();
        let error = check_abi(sys::Q3G_ABI_VERSION + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IncompatibleLibrary);
        let text = error.to_string();
        assert!(
            text.starts_with("incompatible_library: ") && text.contains("version 2") && text.contains("expected 1")
        );
    }

    #[test]
    fn slots_of_any_content() {
        let full = sys::q3g_error { message: [b'x' as std::ffi::c_char; 504], ..slot() }; // no NUL at all
        let error = Error::of(sys::Q3G_E_IO, &full);
        assert_eq!((error.kind(), error.message.len()), (ErrorKind::Io, 504));
        assert_eq!(Error::of(4711, &slot()).kind(), ErrorKind::Other(4711));
    }

    #[test]
    fn as_an_error_of_io() {
        let error = Error::of(sys::Q3G_E_CANCELLED, &slot());
        let io = io::Error::from(error.clone());
        assert_eq!(io.kind(), io::ErrorKind::Other);
        assert_eq!(io.get_ref().unwrap().downcast_ref::<Error>(), Some(&error));
        assert!(error.source().is_none());
        assert_eq!(io::Error::from(Error::invalid(String::new())).kind(), io::ErrorKind::InvalidInput);
    }
}
