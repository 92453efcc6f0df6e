// SPDX-License-Identifier: Apache-2.0
//! A batch's thread, and the tasks that wait for what is judged. The C library's own thread could wake no task.
use std::{
    collections::HashMap,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use qwen3guard_sys as sys;

use crate::{c::sized, error::call, Error, Result};

/// How long the thread judges before it wakes tasks, when text comes faster than it is judged.
const TURN_MS: f64 = 200.0;
/// How long it rests when what waits cannot be judged now: its session is being visited, or there is no memory.
const REST: Duration = Duration::from_millis(10);

crate::c::handle!(
    /// The owner of the C handle.
    RawBatch,
    q3g_batch,
    q3g_batch_free
);
// SAFETY: "any thread" in qwen3guard.h.
unsafe impl Send for RawBatch {}
unsafe impl Sync for RawBatch {}

#[derive(Debug, Default)]
struct Bell {
    /// Of rings, so that none is missed while nobody listens.
    n_rings: u64,
    /// A thread with another number ends.
    thread: u64,
    /// Of sessions.
    tasks: HashMap<u64, Waker>,
}

/// A batch's handle, and who is to be told what happens to it.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) raw: RawBatch,
    bell: Mutex<Bell>,
    rung: Condvar,
}

impl Stepped {
    pub(crate) fn new(raw: RawBatch) -> Self {
        Self { raw, bell: Mutex::default(), rung: Condvar::new() }
    }

    fn bell(&self) -> MutexGuard<'_, Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner) // every change of it is whole
    }

    /// Something may wait to be judged.
    pub(crate) fn ring(&self) {
        self.bell().n_rings += 1;
        self.rung.notify_all();
    }

    /// The task is woken once, when something was judged from now on.
    pub(crate) fn tell(&self, session: u64, task: &Waker) {
        self.bell().tasks.insert(session, task.clone());
    }

    /// Nobody waits for the session any more.
    pub(crate) fn forget(&self, session: u64) {
        let task = self.bell().tasks.remove(&session);
        drop(task); // which runs foreign code, not under the lock
    }

    pub(crate) fn wake_all(&self) {
        let tasks = std::mem::take(&mut self.bell().tasks);
        for task in tasks.into_values() {
            // A foreign task's panic stops no other one.
            let _ = catch_unwind(AssertUnwindSafe(|| task.wake()));
        }
    }

    pub(crate) fn step(&self, budget_ms: f64, must_run: bool) -> Result<usize> {
        let mut n = 0;
        let done =
            call(|err| unsafe { sys::q3g_batch_step(self.raw.raw.as_ptr(), budget_ms, must_run.into(), &mut n, err) });
        self.wake_all();
        done.map(|()| n)
    }

    pub(crate) fn stats(&self) -> Result<sys::q3g_batch_stats> {
        let mut raw: sys::q3g_batch_stats = sized();
        call(|err| unsafe { sys::q3g_batch_get_stats(self.raw.raw.as_ptr(), &mut raw, err) })?;
        Ok(raw)
    }

    /// Judges whatever waits, until another thread number is given out.
    fn run(&self, number: u64) {
        loop {
            let n_rings = {
                let bell = self.bell();
                if bell.thread != number {
                    return;
                }
                bell.n_rings
            };
            let waits = self.stats().map_or(true, |stats| stats.n_waiting_sessions > 0);
            if waits && self.step(TURN_MS, true).unwrap_or(0) > 0 {
                continue;
            }
            let is_idle = |bell: &mut Bell| bell.thread == number && bell.n_rings == n_rings;
            let bell = self.bell();
            if waits {
                drop(self.rung.wait_timeout_while(bell, REST, is_idle));
            } else {
                drop(self.rung.wait_while(bell, is_idle));
            }
        }
    }
}

/// The thread of a batch.
#[derive(Debug)]
pub(crate) struct Stepper {
    thread: JoinHandle<()>,
    number: u64,
}

impl Stepper {
    pub(crate) fn start(batch: &Arc<Stepped>) -> Result<Self> {
        let (shared, number) = (Arc::clone(batch), {
            let mut bell = batch.bell();
            bell.thread += 1;
            bell.thread
        });
        let thread = Builder::new().name("qwen3guard batch".to_owned()).spawn(move || shared.run(number));
        let thread = thread.map_err(|e| Error::out_of_memory(format!("the system refuses a thread: {e}")))?;
        Ok(Self { thread, number })
    }

    /// Ends it, after the forward it is in.
    pub(crate) fn stop(self, batch: &Stepped) {
        {
            let mut bell = batch.bell();
            bell.thread += u64::from(bell.thread == self.number); // another start() may have been faster
        }
        batch.rung.notify_all();
        // It does not wait for itself: a task that it wakes may drop the batch.
        if self.thread.thread().id() != std::thread::current().id() {
            let _ = self.thread.join();
        }
    }
}
