// SPDX-License-Identifier: Apache-2.0
//! Closures behind C function pointers. A panic stops the call and goes on in the caller's frame behind it.
use std::{
    any::Any,
    ffi::c_void,
    ops::ControlFlow,
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
};

use qwen3guard_sys as sys;

/// Called on the calling thread with what is done and what there is in all; `Break` stops the call with
/// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
pub type Progress<'a> = dyn FnMut(i64, i64) -> ControlFlow<()> + 'a;

/// Runs what must not unwind into C and has no frame to go on in; None after a panic.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(body))
        .map_err(|payload| {
            // What the panic carries may panic when it is dropped; what that carries is leaked.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
        })
        .ok()
}

/// A closure and the panic that came out of it.
pub(crate) struct Guarded<'a, F: ?Sized> {
    closure: &'a mut F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a, F: ?Sized> Guarded<'a, F> {
    pub fn new(closure: &'a mut F) -> Self {
        Self { closure, panic: None }
    }

    /// For C; the value must not be touched before the call that got it is over.
    pub fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    /// Runs `body` on the closure; None after a panic, and for ever after.
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

    /// Goes on with the panic, behind the call. What the call made is dropped on the way.
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
        // SAFETY: `user` is `guarded` below; the library calls on the calling thread, within the call.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_stops_the_call_and_goes_on_behind_it() {
        let mut n_calls = 0;
        let mut closure = |_, _| {
            n_calls += 1;
            panic!("mine")
        };
        let panic = catch_unwind(AssertUnwindSafe(|| {
            with_progress(Some(&mut closure), |function, user| unsafe {
                assert_eq!(function.unwrap()(user, 1, 2), 1);
                assert_eq!(function.unwrap()(user, 2, 2), 1); // a closure that has panicked is left alone
            })
        }));
        assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "mine");
        assert_eq!(n_calls, 1);
    }

    #[test]
    fn contained_panics_leave_nothing_to_unwind() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain(|| -> i32 { std::panic::panic_any(Bomb) }), None);
    }
}
