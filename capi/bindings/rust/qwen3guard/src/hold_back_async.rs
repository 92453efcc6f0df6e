// SPDX-License-Identifier: Apache-2.0
//! What may be shown, for tasks. No executor is needed or meant.
use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use crate::{HoldBack, HoldBackError};

type Item = Option<std::result::Result<String, HoldBackError>>;

impl<'a> HoldBack<'a> {
    /// [`HoldBack::shown`] for a task: puts what a model writes as it comes, and gives what may be shown as it is judged,
    /// also while the model writes nothing. `pieces` is asked for the next piece as `poll_next` of a stream or `poll_recv`
    /// of a channel is: `|context| channel.poll_recv(context)`. Ready(None) ends the answer.
    ///
    /// Over a batch the model runs elsewhere ([`Batch::start`](crate::Batch::start)), and the task is woken when something
    /// was judged, there or by [`Batch::step`](crate::Batch::step). Over a stream it runs in this task's poll, as long as a
    /// piece takes: use a batch where other tasks share the thread. By its age alone
    /// ([`HoldBackOptions::release_after`](crate::HoldBackOptions::release_after)) text leaves with the next poll, and
    /// wakes nobody.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::{future::Future, pin::pin, sync::Arc, task::{Context, Poll, Wake}, thread::{self, Thread}};
    /// # struct Unpark(Thread);
    /// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
    /// # fn block_on<F: Future>(task: F) -> F::Output {
    /// #     let (waker, mut task) = (Arc::new(Unpark(thread::current())).into(), pin!(task));
    /// #     loop {
    /// #         match task.as_mut().poll(&mut Context::from_waker(&waker)) { Poll::Ready(out) => return out, Poll::Pending => thread::park() }
    /// #     }
    /// # }
    /// use qwen3guard::{Batch, Guard};
    /// let batch = Batch::open(&Guard::embedded("nano-stream")?, Default::default())?;
    /// batch.start()?;
    /// let session = batch.add(&Default::default())?;
    /// batch.push_prompt(session, "Hello!", None)?;
    /// let mut model = ["Good ", "mor", "ning!"].into_iter(); // or a channel
    /// let text: Result<String, qwen3guard::HoldBackError> = block_on(async {
    ///     let mut hold = batch.hold_back(session, Default::default())?;
    ///     let mut shown = hold.shown_async(|_| Poll::Ready(model.next()));
    ///     let mut text = String::new();
    ///     while let Some(some) = shown.next().await {
    ///         text += &some?;
    ///     }
    ///     Ok(text)
    /// });
    /// assert_eq!(text?, "Good morning!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn shown_async<P, T>(&mut self, pieces: P) -> ShownAsync<'_, 'a, P, T>
    where
        P: FnMut(&mut Context<'_>) -> Poll<Option<T>>,
        T: AsRef<[u8]>,
    {
        ShownAsync { hold: self, pieces, waiting: None, has_ended: false, is_over: false }
    }
}

/// What [`HoldBack::shown_async`] returns. `futures::stream::poll_fn(move |context| shown.poll_next(context))` makes a
/// stream of it. Dropped, it leaves the answer as it is, and all that was put; a piece that the batch had no room for is lost
/// with it.
#[must_use = "nothing is put until it is polled"]
pub struct ShownAsync<'h, 'a, P, T> {
    hold: &'h mut HoldBack<'a>,
    pieces: P,
    /// A piece that the batch had no room for, or the end (`Some(None)`).
    waiting: Option<Option<T>>,
    /// The end was put.
    has_ended: bool,
    /// An error came, or the end.
    is_over: bool,
}

impl<P, T> fmt::Debug for ShownAsync<'_, '_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShownAsync").field("hold", &self.hold).field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

impl<P, T> ShownAsync<'_, '_, P, T>
where
    P: FnMut(&mut Context<'_>) -> Poll<Option<T>>,
    T: AsRef<[u8]>,
{
    /// The next text, which is never empty; behind the last one, or the first error, None. May be dropped while it waits:
    /// nothing is lost.
    pub async fn next(&mut self) -> Item {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`ShownAsync::next`]; the task is woken when there may be more.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Item> {
        while !self.is_over {
            match self.hold.poll_shown(context) {
                Poll::Pending => {}
                Poll::Ready(Some(Ok(text))) => return Poll::Ready(Some(Ok(text))),
                Poll::Ready(over) => {
                    self.is_over = true;
                    return Poll::Ready(over);
                }
            }
            if self.waiting.is_none() {
                if self.has_ended {
                    return Poll::Pending;
                }
                match (self.pieces)(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(piece) => self.waiting = Some(piece),
                }
            }
            let Some(next) = &self.waiting else { continue };
            match self.hold.go_on(next.as_ref()) {
                Ok(false) => return Poll::Pending, // the verdicts that make room wake the task
                Ok(true) => self.has_ended = matches!(self.waiting.take(), Some(None)),
                Err(error) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}
