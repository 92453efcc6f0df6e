// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Qwen3Guard
{
    /// <summary>What HoldBack.ShowAsync gives: each MoveNextAsync waits for text that may be shown; the model runs on the thread
    /// pool. C# 8 takes it in <c>await foreach</c>, on every runtime. DisposeAsync is for who leaves before the end.</summary>
    public sealed class ShownTexts
    {
        private readonly HoldBack hold;
        private readonly Func<CancellationToken, Task<string>> next;
        private CancellationToken usual;
        private Task<string> reading; // the source's task that nobody has taken the piece from
        private CancellationTokenSource stop; // stops it
        private string waiting; // was read, and is still to be put
        private bool hasLooked, isAtEnd, isFinished, isOver;
        private int isRunning;

        internal ShownTexts(HoldBack hold, Func<CancellationToken, Task<string>> next)
        {
            this.hold = hold;
            this.next = next;
        }

        /// <summary>What may be shown next; null before the first call and behind the last.</summary>
        public string Current { get; private set; }

        /// <summary>For <c>await foreach</c>: this object, whose calls the token stops.</summary>
        public ShownTexts GetAsyncEnumerator(CancellationToken token = default(CancellationToken))
        {
            usual = token;
            return this;
        }

        /// <summary>False when nothing more comes: all of the answer was shown, or something is blocked; HoldBack.Last.State says
        /// which. A NotJudgedException where the answer has ended without being judged completely. One call at a time: a second
        /// one gets an InvalidOperationException. The token stops it with an OperationCanceledException: while it waits for the
        /// source or for a batch nothing is lost, and while it judges the answer has ended: Withdraw. What the source throws is
        /// thrown here, and the next call asks it again.</summary>
        public async Task<bool> MoveNextAsync(CancellationToken token = default(CancellationToken))
        {
            if (Interlocked.CompareExchange(ref isRunning, 1, 0) != 0)
            {
                throw new InvalidOperationException("MoveNextAsync runs already; expected one call at a time");
            }
            try
            {
                Current = null;
                if (!token.CanBeCanceled) token = usual;
                while (!isOver)
                {
                    token.ThrowIfCancellationRequested();
                    if (hasLooked && waiting == null && !isAtEnd) await Read(token).ConfigureAwait(false);
                    string text = await Task.Run(() => PutAndTake(token), token).ConfigureAwait(false);
                    if (text == "") continue;
                    Current = text;
                    return true;
                }
                return !hold.IsOver; // false, or what was not judged throws
            }
            catch (OperationCanceledException) when (token.IsCancellationRequested)
            {
                if (reading != null) stop.Cancel(); // what it has read all the same comes with the next call
                throw;
            }
            finally
            {
                Volatile.Write(ref isRunning, 0);
            }
        }

        // A piece, the end, or neither, where text has to be looked for meanwhile.
        private async Task Read(CancellationToken token)
        {
            bool isOld = reading != null; // another call has asked
            if (!isOld)
            {
                stop = new CancellationTokenSource();
                reading = next(stop.Token) ?? throw new InvalidOperationException("the source gave no task");
            }
            if (!reading.IsCompleted)
            {
                using (var pause = CancellationTokenSource.CreateLinkedTokenSource(token))
                {
                    await Task.WhenAny(reading, Task.Delay(hold.PatienceMs, pause.Token)).ConfigureAwait(false);
                    pause.Cancel();
                }
                token.ThrowIfCancellationRequested();
                if (!reading.IsCompleted) return;
            }
            var read = reading;
            reading = null;
            try
            {
                waiting = await read.ConfigureAwait(false);
                isAtEnd = waiting == null;
            }
            catch (OperationCanceledException) when (isOld && stop.IsCancellationRequested)
            {
                // The token of the call that asked has stopped it; this one asks again.
            }
        }

        private string PutAndTake(CancellationToken token)
        {
            bool hasRoom = true;
            if (waiting != null)
            {
                hasRoom = hold.TryPut(waiting, token);
                if (hasRoom) waiting = null; // an exception keeps it: without it the answer would have a gap
            }
            else if (isAtEnd && !isFinished)
            {
                isFinished = hasRoom = hold.TryFinish(token);
            }
            string text = hold.TakeText(isFinished || !hasRoom ? HoldBack.PollMs : 0, token);
            // Before the first piece something may be blocked already, a batch's prompt for one.
            isOver = hasLooked ? !hold.MayComeMore : hold.Last.State == HoldBackState.Blocked;
            hasLooked = true;
            if (isOver && reading != null) stop.Cancel(); // what goes on behind a block may come from the same source
            return text;
        }

        /// <summary>Stops the source where it is still read, and waits for it: for a host that leaves its loop early, as
        /// <c>await foreach</c> does by itself. What the source gave all the same is kept for another MoveNextAsync.</summary>
        public async Task DisposeAsync()
        {
            if (reading == null) return;
            stop.Cancel();
            await Task.WhenAny(reading).ConfigureAwait(false);
        }
    }
}
