// SPDX-License-Identifier: Apache-2.0
use std::ptr::null_mut;

use qwen3guard_sys as sys;

use crate::Result;

crate::c::handle!(
    /// A flag that stops running calls from another thread: they fail with
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) while it is up. `Send + Sync`.
    ///
    /// One flag may serve any number of calls. Calls look at it before each layer of the model.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// use qwen3guard::{Cancel, ClassifyOptions, ErrorKind, Guard};
    /// let (guard, cancel) = (Guard::embedded("nano-gen")?, Cancel::new()?);
    /// cancel.set(); // as a rule on another thread, while the call runs
    /// let options = ClassifyOptions { cancel: Some(&cancel), ..Default::default() };
    /// assert_eq!(guard.classify_prompt_with("Hello!", options).unwrap_err().kind(), ErrorKind::Cancelled);
    /// # Ok(())
    /// # }
    /// ```
    Cancel,
    q3g_cancel,
    q3g_cancel_free
);
// SAFETY: "any thread" in qwen3guard.h.
unsafe impl Send for Cancel {}
unsafe impl Sync for Cancel {}

impl Cancel {
    /// A new flag, down. Errors: `OutOfMemory`.
    pub fn new() -> Result<Self> {
        Self::make(|out, err| unsafe { sys::q3g_cancel_new(out, err) })
    }

    /// Raises the flag.
    pub fn set(&self) {
        unsafe { sys::q3g_cancel_set(self.raw.as_ptr()) };
    }

    /// Takes it down again.
    pub fn reset(&self) {
        unsafe { sys::q3g_cancel_reset(self.raw.as_ptr()) };
    }

    /// True while it is up.
    #[must_use]
    pub fn is_set(&self) -> bool {
        unsafe { sys::q3g_cancel_is_set(self.raw.as_ptr()) != 0 }
    }

    /// What was given the flag keeps it alive, so the borrow may end with the call that gets the pointer.
    pub(crate) fn ptr(cancel: Option<&Self>) -> *mut sys::q3g_cancel {
        cancel.map_or(null_mut(), |c| c.raw.as_ptr())
    }
}
