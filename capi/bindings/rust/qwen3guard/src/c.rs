// SPDX-License-Identifier: Apache-2.0
//! What every file needs to talk with the C interface.
//!
//! SAFETY of all calls into C, where no comment says more: handles are live, because the value that owns them is borrowed;
//! a pointer comes with the true size or number of what it points to, which is borrowed or local until the call is over;
//! structs begin with their size, which keeps an older or newer library within them; `&mut self` or a type that is not
//! `Sync` stands for what qwen3guard.h calls "one thread". The library checks all values, and its handles' magic words.
use std::ffi::{c_char, CStr};

use qwen3guard_sys as sys;

use crate::error::{slot, Error, Result};

/// A struct with its size and zeros.
pub(crate) fn sized<T: Default>() -> T {
    T::default()
}

/// Options with the library's defaults, which one of its q3g_*_init functions fills in.
pub(crate) fn defaults<T: Default>(init: unsafe extern "C" fn(*mut T, usize) -> sys::q3g_status) -> T {
    let mut raw = T::default();
    // SAFETY: the place is as large as is said.
    let status = unsafe { init(&mut raw, std::mem::size_of::<T>()) };
    debug_assert_eq!(status, sys::Q3G_OK, "a place of the right size cannot be refused");
    raw
}

/// A name of the library's: "" for NULL.
///
/// # Safety
/// `text` is NULL, or ends with a NUL and lives for ever.
pub(crate) unsafe fn static_text(text: *const c_char) -> &'static str {
    if text.is_null() {
        return "";
    }
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// Text of a field, up to its NUL.
pub(crate) fn text_of_chars(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// A field that ends with a NUL, for a text; what does not fit is cut.
pub(crate) fn chars_of<const N: usize>(text: &str) -> [c_char; N] {
    let mut out = [0; N];
    for (to, byte) in out.iter_mut().take(N - 1).zip(text.bytes()) {
        *to = byte as c_char;
    }
    out
}

/// What C lent, which may be NULL when there is nothing.
///
/// # Safety
/// Unless n is 0, there are n elements at `at`, which live and do not change for `'a`.
pub(crate) unsafe fn lent<'a, T>(at: *const T, n: usize) -> &'a [T] {
    if n == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(at, n) }
}

/// Text of unknown size: asked for with a buffer that is nearly always large enough, and again when it is not.
pub(crate) fn text_of(
    mut read: impl FnMut(*mut c_char, usize, *mut usize, *mut sys::q3g_error) -> sys::q3g_status,
) -> Result<String> {
    let mut buffer = vec![0u8; 512];
    loop {
        let (mut n, mut slot) = (0, slot());
        match read(buffer.as_mut_ptr().cast(), buffer.len(), &mut n, &mut slot) {
            sys::Q3G_OK => {
                buffer.truncate(n);
                return Ok(String::from_utf8(buffer).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into()));
            }
            sys::Q3G_E_BUFFER_TOO_SMALL if n > buffer.len() => buffer.resize(n, 0),
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
            pub(crate) raw: std::ptr::NonNull<qwen3guard_sys::$raw>,
        }
        impl $name {
            /// `make` writes the handle.
            pub(crate) fn make(
                make: impl FnOnce(*mut *mut qwen3guard_sys::$raw, *mut qwen3guard_sys::q3g_error) -> i32,
            ) -> crate::Result<Self> {
                let mut raw = std::ptr::null_mut();
                crate::error::call(|err| make(&mut raw, err))?;
                Ok(Self { raw: std::ptr::NonNull::new(raw).expect("the library gives a handle with Q3G_OK") })
            }
        }
        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the handle is this value's own, and nothing borrows it any more.
                unsafe { qwen3guard_sys::$free(self.raw.as_ptr()) }
            }
        }
    };
}
pub(crate) use handle;

#[cfg(test)]
mod tests {
    use super::*;

    /// A C function that has `text` to write.
    fn writes(text: &str) -> impl FnMut(*mut c_char, usize, *mut usize, *mut sys::q3g_error) -> i32 + '_ {
        move |to, capacity, n, _| {
            unsafe { *n = text.len() };
            if text.len() > capacity {
                return sys::Q3G_E_BUFFER_TOO_SMALL;
            }
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), to.cast(), text.len()) };
            sys::Q3G_OK
        }
    }

    #[test]
    fn text_of_any_size_arrives_whole() {
        for n in [0, 1, 511, 512, 513, 100_000] {
            let text = "\u{e9}".repeat(n);
            assert_eq!(text_of(writes(&text)).unwrap(), text);
        }
        // A library that does not say how much it needs is not asked for ever.
        let error = text_of(|_, _, _, _| sys::Q3G_E_BUFFER_TOO_SMALL).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Other(sys::Q3G_E_BUFFER_TOO_SMALL));
    }

    #[test]
    fn fields_and_loans() {
        let chars: Vec<c_char> = b"caf\xe9\0rest".iter().map(|b| *b as c_char).collect();
        assert_eq!(text_of_chars(&chars), "caf\u{fffd}");
        assert_eq!(text_of_chars(&chars[5..]), "rest");
        assert_eq!(text_of_chars(&chars_of::<5>("four")), "four");
        assert_eq!(text_of_chars(&chars_of::<4>("four")), "fou");
        assert_eq!(unsafe { lent::<f32>(std::ptr::null(), 0) }, &[] as &[f32]);
        assert_eq!(unsafe { static_text(std::ptr::null()) }, "");
        assert_eq!(sized::<sys::q3g_verdict>().struct_size as usize, std::mem::size_of::<sys::q3g_verdict>());
    }
}
