// SPDX-License-Identifier: Apache-2.0
//! Many live conversations over one model.
use std::{
    ffi::c_void,
    mem::forget,
    ptr::null_mut,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qwen3guard_sys as sys;

use crate::{
    c::defaults,
    callback::Guarded,
    error::call,
    events::{Event, RawEvents},
    stepper::{RawBatch, Stepped, Stepper},
    BatchStats, Error, Guard, Result, Role, Stream, StreamOptions, StreamRef,
};

/// Many conversations in common matrix products. Sessions are named by the numbers that [`Batch::add`] returns.
/// Deadlines count from now; None: the default. `Send + Sync`: any number of threads may push, poll and step.
///
/// Errors of pushes: `InvalidArgument` (no such session), `BudgetExceeded` (too much text waits). What is wrong with
/// what was pushed comes as an [`Event`].
#[derive(Debug)]
pub struct Batch {
    pub(crate) shared: Arc<Stepped>,
    thread: Mutex<Option<Stepper>>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.end_thread();
    }
}

/// Bounds of a batch; None: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchOptions {
    /// Bytes of all sessions; 0: no bound.
    pub memory_budget_bytes: usize,
    /// Bytes of one session's text that waits.
    pub max_waiting_bytes: Option<usize>,
    /// Tokens of one forward, 1 to 4096.
    pub max_step_tokens: Option<i32>,
    /// Tokens of one session in it.
    pub max_session_tokens: Option<i32>,
    /// How soon a verdict is due.
    pub default_deadline: Option<Duration>,
}

fn deadline_ms(deadline: Option<Duration>) -> f64 {
    deadline.map_or(-1.0, |d| d.as_secs_f64() * 1e3)
}

impl Batch {
    /// Opens a batch. Errors: `InvalidArgument` (an option).
    pub fn open(guard: &Guard, options: BatchOptions) -> Result<Self> {
        let mut raw = defaults(sys::q3g_batch_options_init);
        raw.memory_budget_bytes = options.memory_budget_bytes;
        raw.max_waiting_bytes = options.max_waiting_bytes.unwrap_or(raw.max_waiting_bytes);
        raw.max_step_tokens = options.max_step_tokens.unwrap_or(raw.max_step_tokens);
        raw.max_session_tokens = options.max_session_tokens.unwrap_or(raw.max_session_tokens);
        if let Some(deadline) = options.default_deadline {
            raw.default_deadline_ms = deadline.as_secs_f64() * 1e3;
        }
        let raw = RawBatch::make(|out, err| unsafe { sys::q3g_batch_open(guard.raw.as_ptr(), &raw, out, err) })?;
        Ok(Self { shared: Arc::new(Stepped::new(raw)), thread: Mutex::default() })
    }

    pub(crate) fn raw(&self) -> *mut sys::q3g_batch {
        self.shared.raw.raw.as_ptr()
    }

    /// A call behind which something may wait to be judged.
    fn push(&self, push: impl FnOnce(*mut sys::q3g_error) -> sys::q3g_status) -> Result<()> {
        call(push)?;
        self.shared.ring();
        Ok(())
    }

    /// A new session, by its number. Errors: as [`Stream::open_with`]; `BudgetExceeded`.
    pub fn add(&self, options: &StreamOptions<'_>) -> Result<u64> {
        let (mut id, raw) = (0, options.to_c());
        call(|err| unsafe { sys::q3g_batch_add(self.raw(), &raw, &mut id, err) })?;
        Ok(id)
    }

    /// Takes a stream in, with its past; one that is refused is dropped. Errors: `InvalidArgument` (another model's
    /// stream), `BudgetExceeded`.
    pub fn add_stream(&self, stream: Stream) -> Result<u64> {
        let mut id = 0;
        call(|err| unsafe { sys::q3g_batch_add_stream(self.raw(), stream.raw.as_ptr(), &mut id, err) })?;
        forget(stream); // the library has freed the handle
        Ok(id)
    }

    /// Drops a session, and what waits for it without a verdict. Errors: `InvalidArgument` (no such session).
    pub fn remove(&self, session: u64) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_remove(self.raw(), session, err) })?;
        self.shared.wake_all(); // there is room, and whoever waits for the session learns that it is gone
        Ok(())
    }

    /// Queues a prompt; it is copied.
    pub fn push_prompt(&self, session: u64, prompt: impl AsRef<[u8]>, deadline: Option<Duration>) -> Result<()> {
        let (text, due) = (prompt.as_ref(), deadline_ms(deadline));
        self.push(|err| unsafe {
            sys::q3g_batch_push_prompt(self.raw(), session, text.as_ptr().cast(), text.len(), due, err)
        })
    }

    /// Queues the beginning of a turn.
    pub fn begin_turn(&self, session: u64, role: Role) -> Result<()> {
        self.push(|err| unsafe { sys::q3g_batch_begin_turn(self.raw(), session, role.value(), err) })
    }

    /// Queues text of the open turn; split anywhere.
    pub fn push_text(&self, session: u64, text: impl AsRef<[u8]>, deadline: Option<Duration>) -> Result<()> {
        let (text, due) = (text.as_ref(), deadline_ms(deadline));
        self.push(|err| unsafe {
            sys::q3g_batch_push_text(self.raw(), session, text.as_ptr().cast(), text.len(), due, err)
        })
    }

    /// Queues tokens of the open turn.
    pub fn push_tokens(&self, session: u64, ids: &[i32], deadline: Option<Duration>) -> Result<()> {
        let due = deadline_ms(deadline);
        self.push(|err| unsafe { sys::q3g_batch_push_tokens(self.raw(), session, ids.as_ptr(), ids.len(), due, err) })
    }

    /// Queues the end of a turn.
    pub fn end_turn(&self, session: u64, deadline: Option<Duration>) -> Result<()> {
        self.push(|err| unsafe { sys::q3g_batch_end_turn(self.raw(), session, deadline_ms(deadline), err) })
    }

    /// Takes a session's events; waits for the first one (`EventKind::Overdue` at the latest), or until nothing is left to
    /// wait for, at most so long. With `Duration::MAX` it waits as long as it takes. None says nothing of what still waits.
    /// Errors: `InvalidArgument` (no such session).
    pub fn poll(&self, session: u64, timeout: Duration) -> Result<Vec<Event>> {
        let (mut events, timeout_ms) = (RawEvents(null_mut()), timeout.as_secs_f64() * 1e3);
        call(|err| unsafe { sys::q3g_batch_poll(self.raw(), session, timeout_ms, &mut events.0, err) })?;
        (0..events.len()).map(|i| events.get(i)).collect()
    }

    /// Runs `visit` on this thread while nobody else uses the session: for marks, rewinds, forks and reading. Within it,
    /// visiting or removing the same session is an error. Errors: `InvalidArgument` (no such session; within a visit of it).
    ///
    /// The stream stays the batch's: it cannot leave the closure.
    ///
    /// ```compile_fail
    /// # fn main() -> qwen3guard::Result<()> {
    /// # let batch = qwen3guard::Batch::open(&qwen3guard::Guard::embedded("nano-stream")?, Default::default())?;
    /// # let session = batch.add(&Default::default())?;
    /// let escaped = batch.visit(session, |stream| stream)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn visit<T>(&self, session: u64, visit: impl FnOnce(&mut StreamRef) -> T) -> Result<T> {
        type Visit<'a> = dyn FnMut(&mut StreamRef) + 'a;
        unsafe extern "C" fn run(user: *mut c_void, stream: *mut sys::q3g_stream) {
            // SAFETY: `user` is `guarded` below, and the stream is ours alone until this function returns.
            let (guarded, stream) =
                unsafe { (&mut *user.cast::<Guarded<'_, Visit<'_>>>(), stream.cast::<StreamRef>().as_mut()) };
            if let Some(stream) = stream {
                guarded.run(|closure| closure(stream));
            }
        }
        let (mut visit, mut out) = (Some(visit), None);
        let mut closure = |stream: &mut StreamRef| out = visit.take().map(|visit| visit(stream));
        let mut guarded = Guarded::<Visit<'_>>::new(&mut closure);
        let user = guarded.user();
        let status = call(|err| unsafe { sys::q3g_batch_visit(self.raw(), session, Some(run), user, err) });
        self.shared.ring(); // the session was not judged meanwhile
        guarded.resume();
        status?;
        Ok(out.expect("a visit without an error has run the closure"))
    }

    /// Judges what waits until nothing does or the time is up (None: however long it takes), then wakes the tasks that wait
    /// for it ([`HoldBack::poll_shown`](crate::HoldBack::poll_shown)); the number of tokens judged. When no forward is expected to end in time, a short one runs if `must_run`, if what is next in line is past its
    /// deadline, or if it was put off for eight times the time it takes.
    pub fn step(&self, budget: Option<Duration>, must_run: bool) -> Result<usize> {
        self.shared.step(budget.map_or(f64::MAX, |b| b.as_secs_f64() * 1e3), must_run)
    }

    /// Makes a thread that steps whenever something waits, until [`Batch::stop`] or the batch is dropped, and wakes
    /// the tasks that wait: when nothing waits to be judged any more, and every 200 ms when there is more. Errors:
    /// `InvalidArgument` (there is one), `OutOfMemory` (the system refuses a thread).
    pub fn start(&self) -> Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Err(Error::invalid("the batch's thread runs already".to_owned()));
        }
        *thread = Some(Stepper::start(&self.shared)?);
        Ok(())
    }

    /// Ends that thread, after the forward it is in; what waits stays.
    pub fn stop(&self) -> Result<()> {
        self.end_thread();
        Ok(())
    }

    fn end_thread(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.stop(&self.shared);
        }
    }

    /// Counters.
    pub fn stats(&self) -> Result<BatchStats> {
        Ok(BatchStats::of(&self.shared.stats()?))
    }
}
