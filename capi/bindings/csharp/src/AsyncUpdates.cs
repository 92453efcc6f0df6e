// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Qwen3Guard
{
    /// <summary>What GuardStream.JudgeAsync gives: each MoveNextAsync waits for a piece of text and judges it on the thread
    /// pool. C# 8 takes it in <c>await foreach</c>, on every runtime. It holds nothing that would have to be disposed of, and
    /// the stream's turn stays open behind it.</summary>
    public sealed class AsyncUpdates
    {
        private readonly GuardStream stream;
        private readonly Func<CancellationToken, Task<string>> next;
        private CancellationToken usual;
        private string waiting; // was read, and is still to be judged
        private bool isAtEnd;
        private int isRunning;

        internal AsyncUpdates(GuardStream stream, Func<CancellationToken, Task<string>> next)
        {
            this.stream = stream;
            this.next = next;
        }

        /// <summary>What the last piece changed; null before the first one and after the last.</summary>
        public Update Current { get; private set; }

        /// <summary>For <c>await foreach</c>: this object, whose calls the token stops.</summary>
        public AsyncUpdates GetAsyncEnumerator(CancellationToken token = default(CancellationToken))
        {
            usual = token;
            return this;
        }

        /// <summary>Judges the next piece; false when there are no more. One call at a time: a second one gets an
        /// InvalidOperationException. The token stops waiting and judging with an OperationCanceledException; a piece that was
        /// read by then is judged by the next call. A piece that the stream refuses (Qwen3GuardException) is dropped. What the
        /// source throws is thrown here, and the next call asks it again.</summary>
        public async Task<bool> MoveNextAsync(CancellationToken token = default(CancellationToken))
        {
            if (Interlocked.CompareExchange(ref isRunning, 1, 0) != 0)
            {
                throw new InvalidOperationException("MoveNextAsync runs already; expected one call at a time");
            }
            try
            {
                Current = null;
                if (isAtEnd) return false;
                if (!token.CanBeCanceled) token = usual;
                token.ThrowIfCancellationRequested();
                if (waiting == null)
                {
                    var piece = next(token) ?? throw new InvalidOperationException("the source gave no task");
                    waiting = await piece.ConfigureAwait(false);
                }
                isAtEnd = waiting == null;
                if (isAtEnd) return false;
                try
                {
                    Current = await stream.PushTextAsync(waiting, token).ConfigureAwait(false);
                }
                catch (Qwen3GuardException)
                {
                    waiting = null; // the stream would refuse it again
                    throw;
                }
                waiting = null;
                return true;
            }
            finally
            {
                Volatile.Write(ref isRunning, 0);
            }
        }
    }
}
