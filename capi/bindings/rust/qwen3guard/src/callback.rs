// SPDX-License-Identifier: Apache-2.0
//! Closures behind C function pointers. A panic stops the call and goes on in the caller's frame behind it.
use std::{
    any::Any,
    ffi::c_void,
    ops::ControlFlow,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
};

use qwen3guard_sys as sys;

/// Called with what is done and what there is in all; `Break` stops the call with `ErrorKind::Cancelled`.
pub type Progress<'a> = dyn FnMut(i64, i64) -> ControlFlow<()> + 'a;

/// A closure and the panic that came out of it.
pub(crate) struct Guarded<'a, F: ?Sized> {
    pub closure: &'a mut F,
    pub panic: Option<Box<dyn Any + Send>>,
}

impl<'a, F: ?Sized> Guarded<'a, F> {
    pub fn new(closure: &'a mut F) -> Self {
        Self { closure, panic: None }
    }
    pub fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }
    /// Runs `body` on the closure; None after a panic.
    pub fn run<T>(&mut self, body: impl FnOnce(&mut F) -> T) -> Option<T> {
        if self.panic.is_some() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| body(self.closure))) {
            Ok(value) => Some(value),
            Err(panic) => {
                self.panic = Some(panic);
                None
            }
        }
    }
    pub fn resume(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}

/// Runs a call with a C progress function for `progress`.
pub(crate) fn with_progress<T>(
    progress: Option<&mut Progress<'_>>,
    call: impl FnOnce(sys::q3g_progress_fn, *mut c_void) -> T,
) -> T {
    unsafe extern "C" fn run(user: *mut c_void, n_done: i64, n_total: i64) -> i32 {
        let guarded = unsafe { &mut *user.cast::<Guarded<'_, Progress<'_>>>() };
        match guarded.run(|closure| closure(n_done, n_total)) {
            Some(ControlFlow::Continue(())) => 0,
            _ => 1,
        }
    }
    let Some(progress) = progress else { return call(None, std::ptr::null_mut()) };
    let mut guarded = Guarded::new(progress);
    let user = guarded.user();
    let out = call(Some(run), user);
    guarded.resume();
    out
}
