// SPDX-License-Identifier: Apache-2.0
//! A response judged while it flows, through an iterator or a writer.
use std::{fmt, io, iter::FusedIterator};

use crate::{Decision, Result, StreamRef, Update};

impl StreamRef {
    /// Pushes each piece of an iterator into the open turn; yields what it changed and the decision so far. Ends with the
    /// pieces, or behind the first error: a piece that failed is not judged, so none behind it may be. The turn stays
    /// open.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// # let mut stream = qwen3guard::Stream::open(&qwen3guard::Guard::embedded("nano-stream")?)?;
    /// stream.push_prompt("Hello!")?;
    /// for judged in stream.judge(["Good ", "morning!"]) {
    ///     let (update, decision) = judged?;
    ///     assert!(!decision.is_flagged);
    /// }
    /// stream.end_turn()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn judge<I>(&mut self, pieces: I) -> Judge<'_, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        Judge { stream: self, pieces: Some(pieces.into_iter()) }
    }

    /// A writer that judges text of the open turn before it passes it on to `to`. When the policy's flag goes up the write
    /// fails with [`io::ErrorKind::PermissionDenied`] and [`Flagged`], and the bytes of that write are not passed on. After
    /// any error, what was judged may be more than what was passed on. Each write is judged at once: a `BufWriter` around
    /// this one makes fewer and larger steps.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let mut stream = qwen3guard::Stream::open(&qwen3guard::Guard::embedded("nano-stream")?)?;
    /// stream.push_prompt("Hello!")?;
    /// let (mut response, mut shown) = (&b"Good morning!"[..], Vec::new());
    /// std::io::copy(&mut response, &mut stream.writer(&mut shown))?;
    /// assert_eq!(shown, b"Good morning!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn writer<W: io::Write>(&mut self, to: W) -> JudgedWriter<'_, W> {
        JudgedWriter { stream: self, to }
    }
}

/// What [`StreamRef::judge`] returns.
#[must_use = "nothing is pushed until the iterator is advanced"]
#[derive(Debug)]
pub struct Judge<'a, I> {
    stream: &'a mut StreamRef,
    /// None behind the end or an error.
    pieces: Option<I>,
}

impl<I: Iterator> Iterator for Judge<'_, I>
where
    I::Item: AsRef<[u8]>,
{
    type Item = Result<(Update, Decision)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(piece) = self.pieces.as_mut()?.next() else {
            self.pieces = None;
            return None;
        };
        let judged = self.stream.push_text(piece).and_then(|update| Ok((update, self.stream.decision()?)));
        if judged.is_err() {
            self.pieces = None;
        }
        Some(judged)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may end it early.
        (0, self.pieces.as_ref().map_or(Some(0), |pieces| pieces.size_hint().1))
    }
}

impl<I: Iterator> FusedIterator for Judge<'_, I> where I::Item: AsRef<[u8]> {}

/// What [`StreamRef::writer`] returns.
#[derive(Debug)]
pub struct JudgedWriter<'a, W> {
    stream: &'a mut StreamRef,
    to: W,
}

impl<W: io::Write> io::Write for JudgedWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.push_text(bytes)?;
        let decision = self.stream.decision()?;
        if decision.is_flagged {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, Flagged(Box::new(decision))));
        }
        // All of it: what is judged must not be given again.
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The policy's flag is up, by this decision; the error inside the [`io::Error`] of a [`JudgedWriter`].
#[derive(Clone, Debug, PartialEq)]
pub struct Flagged(pub Box<Decision>);

impl fmt::Display for Flagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.explain() {
            Ok(why) => write!(f, "flagged: {why}"),
            Err(_) => write!(f, "flagged: {}", self.0.severity),
        }
    }
}

impl std::error::Error for Flagged {}
