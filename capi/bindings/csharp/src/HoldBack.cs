// SPDX-License-Identifier: Apache-2.0
using System;
using System.IO;
using System.Text;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How text is held back.</summary>
    public sealed class HoldBackOptions
    {
        /// <summary>Text leaves when so many settled tokens of the guard stand behind it.</summary>
        public int BufferTokens = 40;
        /// <summary>Or when it was put so many milliseconds ago, judged and settled in any case; 0: never for that reason.</summary>
        public double ReleaseAfterMs;
        /// <summary>Of HoldBack.Retry.</summary>
        public int MaxRetries = 5;
        /// <summary>A block that text to come may lift is reported, too.</summary>
        public bool ReportsProvisional;
        /// <summary>Over a batch: of each push; below 0: the batch's default.</summary>
        public double DeadlineMs = -1;
    }

    /// <summary>Why text is held back for good, and where its host can go on. Bytes are offsets in the turn's text as
    /// UTF-8.</summary>
    public sealed class HoldBackBlock
    {
        /// <summary>What was found, and its ruling.</summary>
        public Decision Decision { get; internal set; } = new Decision();
        /// <summary>Over a batch: the prompt is blocked, and there is nothing to retry.</summary>
        public bool IsPrompt { get; internal set; }
        /// <summary>False: text to come may lift it.</summary>
        public bool IsSettled { get; internal set; }
        /// <summary>What is to be taken back begins here; it may have been shown.</summary>
        public long ByteBegin { get; internal set; }
        /// <summary>Of the text, those that were taken.</summary>
        public long ShownBytes { get; internal set; }
        /// <summary>Where the host goes on unless it says otherwise: behind what was shown.</summary>
        public long ContinueByte { get; internal set; }
        /// <summary>Before Retry is refused.</summary>
        public int RetriesLeft { get; internal set; }
    }

    /// <summary>What came out.</summary>
    public sealed class HoldBackRelease
    {
        /// <summary>Goes behind what was taken before.</summary>
        public string Text { get; internal set; } = "";
        /// <summary>Where the answer stands behind the text.</summary>
        public HoldBackState State { get; internal set; }
        /// <summary>Over a batch: something waits past its deadline for its verdict.</summary>
        public bool IsOverdue { get; internal set; }
        /// <summary>Milliseconds since the oldest of the text's last part was put.</summary>
        public double WaitedMs { get; internal set; }
        /// <summary>The state is Blocked, or something is blocked provisionally; else null.</summary>
        public HoldBackBlock Block { get; internal set; }
    }

    /// <summary>One answer of the host's model on its way to a person: what the model writes is put in, and what may be shown is
    /// taken out. That is at every time a prefix of the turn's text that was judged, is settled, and is not blocked. Nothing is
    /// lost, and nothing comes twice. Show and ShowAsync put and take by themselves. One thread at a time, the stream's calls
    /// too.</summary>
    public sealed unsafe partial class HoldBack : IDisposable
    {
        private readonly HoldBackHandle handle;
        private readonly GuardStream stream; // null over a batch
        private readonly double releaseAfterMs;
        private readonly MemoryStream taken = new MemoryStream(); // and not handed over yet
        private bool isWithdrawn; // by the host, who knows it
        private char half; // of a character whose other half has not been put; 0: none

        /// <summary>Over a stream whose assistant's turn is open, behind PushPrompt. Until the answer has ended nobody else changes
        /// the stream.</summary>
        public HoldBack(GuardStream stream, HoldBackOptions options = null)
        {
            this.stream = Call.Need(stream, nameof(stream));
            releaseAfterMs = options?.ReleaseAfterMs ?? 0;
            var raw = ToC(options);
            IntPtr made;
            var error = Call.Slot();
            using (stream.Handle.Enter())
                Call.Check(NativeMethods.q3g_hold_back_open(stream.Handle, &raw, &made, &error), &error);
            handle = new HoldBackHandle(made);
        }

        /// <summary>Over a batch's session, behind PushPrompt. Until the answer has ended nobody else pushes to the session or polls
        /// it. When the prompt is blocked, so is the answer. Something has to step the batch.</summary>
        public HoldBack(GuardBatch batch, ulong session, HoldBackOptions options = null)
        {
            releaseAfterMs = options?.ReleaseAfterMs ?? 0;
            var raw = ToC(options);
            IntPtr made;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_hold_back_open_batch(Call.Need(batch, nameof(batch)).Handle, session, &raw, &made, &error),
                &error);
            handle = new HoldBackHandle(made);
        }

        private static q3g_hold_back_options ToC(HoldBackOptions options)
        {
            var raw = q3g_hold_back_options.Defaults();
            if (options == null) return raw;
            raw.buffer_tokens = options.BufferTokens;
            raw.release_after_ms = options.ReleaseAfterMs;
            raw.max_retries = options.MaxRetries;
            raw.reports_provisional = Call.Bool(options.ReportsProvisional);
            raw.deadline_ms = options.DeadlineMs;
            return raw;
        }

        /// <summary>Frees it; the session stays as it is.</summary>
        public void Dispose() => handle.Dispose();

        /// <summary>What Take gave last; Show and ShowAsync take, too. Its State says whether the answer has ended (Ended), is
        /// blocked (Blocked), or ended with text that was withdrawn or not judged completely (Withheld).</summary>
        public HoldBackRelease Last { get; private set; } = new HoldBackRelease();

        private void Invoke(CancellationToken token, NativeCall call)
        {
            using (handle.Enter())
            {
                if (stream != null) stream.Invoke(token, call);
                else CancelScope.Run(null, token, call);
            }
        }

        /// <summary>What the model has written next; strings may be split anywhere, within a surrogate pair too. Over a stream it is
        /// judged now; what a token stops then ends the answer: Withdraw it. Status.BudgetExceeded over a batch: nothing was put,
        /// try again.</summary>
        public void Put(string text, CancellationToken token = default(CancellationToken))
        {
            text = Call.Need(text, nameof(text));
            if (half != 0) text = half + text;
            bool isSplit = text.Length > 0 && char.IsHighSurrogate(text[text.Length - 1]);
            char next = isSplit ? text[text.Length - 1] : '\0';
            PutUtf8(Call.Utf8(isSplit ? text.Substring(0, text.Length - 1) : text), token);
            half = next;
        }

        /// <summary>The same in UTF-8, split anywhere.</summary>
        public void Put(byte[] text, CancellationToken token = default(CancellationToken))
        {
            Call.Need(text, nameof(text));
            if (half != 0) PutHalf(token);
            PutUtf8(text, token);
        }

        // Its other half never comes: it is as ill-formed as any lone surrogate.
        private void PutHalf(CancellationToken token)
        {
            PutUtf8(Call.Utf8(half.ToString()), token);
            half = '\0';
        }

        private void PutUtf8(byte[] text, CancellationToken token)
        {
            Invoke(token, error =>
            {
                fixed (byte* p = text) return NativeMethods.q3g_hold_back_put(handle, p, Call.Size(text.Length), error);
            });
        }

        /// <summary>What may be shown now. timeoutMs: over a batch it waits so long for something to happen. An exception loses
        /// nothing: what may be shown comes with the next call.</summary>
        public HoldBackRelease Take(double timeoutMs = 0)
        {
            var release = q3g_hold_back_release.New();
            var decision = Decision.Place();
            do
            {
                Invoke(CancellationToken.None, error =>
                {
                    const int room = 1024;
                    byte* place = stackalloc byte[room];
                    var raw = q3g_hold_back_release.New();
                    var found = Decision.Place();
                    int status = NativeMethods.q3g_hold_back_take(handle, timeoutMs, place, Call.Size(room), &raw, &found, error);
                    if (status != NativeMethods.Q3G_OK) return status;
                    for (int i = 0; i < Call.Int(raw.text_bytes); ++i) taken.WriteByte(place[i]);
                    release = raw;
                    decision = found;
                    return status;
                });
                timeoutMs = 0;
            } while (release.has_more != 0);
            var last = new HoldBackRelease
            {
                Text = Encoding.UTF8.GetString(taken.GetBuffer(), 0, (int)taken.Length), State = (HoldBackState)release.state,
                IsOverdue = release.is_overdue != 0, WaitedMs = release.waited_ms,
            };
            if (release.has_block != 0)
            {
                last.Block = new HoldBackBlock
                {
                    Decision = new Decision(decision), IsPrompt = release.is_prompt != 0, IsSettled = release.is_settled != 0,
                    ByteBegin = release.byte_begin, ShownBytes = release.shown_bytes, ContinueByte = release.continue_byte,
                    RetriesLeft = release.retries_left,
                };
            }
            taken.SetLength(0);
            return Last = last;
        }

        /// <summary>The model has ended its answer: the turn is ended, and the rest may leave, or is blocked. Throws as
        /// Put.</summary>
        public void Finish(CancellationToken token = default(CancellationToken))
        {
            if (half != 0) PutHalf(token);
            Invoke(token, error => NativeMethods.q3g_hold_back_finish(handle, error));
        }

        /// <summary>Goes on behind a block: the session is taken back to the first bytes of the turn's text (null: to
        /// HoldBackBlock.ContinueByte), and the host puts what its model writes from there on.</summary>
        public void Retry(long? bytes = null)
        {
            if (bytes < 0) throw Call.InvalidArgument("bytes is {0}; expected 0 or more", bytes);
            Invoke(CancellationToken.None, error => NativeMethods.q3g_hold_back_retry(handle, bytes ?? -1, error));
            half = '\0';
        }

        /// <summary>Ends the answer here: what was shown stands, the rest is withdrawn, and the session's turn is ended as if that had
        /// been all.</summary>
        public void Withdraw()
        {
            Invoke(CancellationToken.None, error => NativeMethods.q3g_hold_back_withdraw(handle, error));
            isWithdrawn = true;
            half = '\0';
        }

        /// <summary>Counters.</summary>
        public HoldBackStats Stats
        {
            get
            {
                var raw = q3g_hold_back_stats.New();
                var error = Call.Slot();
                using (handle.Enter()) Call.Check(NativeMethods.q3g_hold_back_get_stats(handle, &raw, &error), &error);
                return HoldBackStats.Of(&raw);
            }
        }
    }
}
