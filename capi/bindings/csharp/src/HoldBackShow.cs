// SPDX-License-Identifier: Apache-2.0
// What the model writes as one sequence, and what may be shown as another.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Qwen3Guard
{
    public sealed partial class HoldBack
    {
        internal const int PollMs = 20; // how long a batch is waited for before the token and the source are looked at

        /// <summary>Puts each piece, and yields what may be shown; behind the last it finishes, and yields the rest. It ends early
        /// where something is blocked: ask Last, then Retry or Withdraw. A NotJudgedException comes behind the last text where the
        /// answer has ended without being judged completely. What the source throws passes through, and the answer stays open.
        /// ReleaseAfterMs is looked at when a piece comes: where that takes long, use ShowAsync.</summary>
        public IEnumerable<string> Show(IEnumerable<string> pieces, CancellationToken token = default(CancellationToken))
        {
            return Texts(Call.Need(pieces, nameof(pieces)), token);
        }

        private IEnumerable<string> Texts(IEnumerable<string> pieces, CancellationToken token)
        {
            string text;
            // Something may be blocked already, a batch's prompt for one.
            if ((text = TakeText(0, token)) != "") yield return text;
            if (Last.State == HoldBackState.Blocked) yield break;
            foreach (string piece in pieces)
            {
                while (!TryPut(piece, token)) // room comes with verdicts
                {
                    if ((text = TakeText(PollMs, token)) != "") yield return text;
                    if (IsOver) yield break;
                }
                if ((text = TakeText(0, token)) != "") yield return text;
                if (IsOver) yield break;
            }
            while (!TryFinish(token))
            {
                if ((text = TakeText(PollMs, token)) != "") yield return text;
                if (IsOver) yield break;
            }
            do
            {
                if ((text = TakeText(PollMs, token)) != "") yield return text;
            } while (!IsOver);
        }

        /// <summary>The same for a source that is waited for: next gives a piece, and null when there are no more. While it waits,
        /// text leaves that is old enough, and what a batch has judged meanwhile. The token that next gets is cancelled with
        /// MoveNextAsync's, and where something is blocked while next runs; then a new ShowAsync may go on with the same
        /// source.</summary>
        public ShownTexts ShowAsync(Func<CancellationToken, Task<string>> next)
        {
            return new ShownTexts(this, Call.Need(next, nameof(next)));
        }

        /// <summary>The same for what the host's own code adds to a queue.</summary>
        public ShownTexts ShowAsync(TextQueue queue)
        {
            return new ShownTexts(this, Call.Need(queue, nameof(queue)).ReadAsync);
        }

#if NET8_0_OR_GREATER || NETSTANDARD2_1
        /// <summary>The same for an asynchronous sequence. Where it ends before the source does, it stops the source by the token
        /// of its enumerator and waits for it.</summary>
        public IAsyncEnumerable<string> ShowAsync(IAsyncEnumerable<string> pieces, CancellationToken token = default)
        {
            return TextsAsync(Call.Need(pieces, nameof(pieces)), token);
        }

        private async IAsyncEnumerable<string> TextsAsync(IAsyncEnumerable<string> pieces,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
        {
            using (var stop = CancellationTokenSource.CreateLinkedTokenSource(token))
            {
                var source = pieces.GetAsyncEnumerator(stop.Token);
                await using (source.ConfigureAwait(false))
                {
                    var texts = ShowAsync(async ignored => await source.MoveNextAsync().ConfigureAwait(false)
                        ? Call.Need(source.Current, "a piece") : null);
                    try
                    {
                        while (await texts.MoveNextAsync(token).ConfigureAwait(false)) yield return texts.Current;
                    }
                    finally
                    {
                        stop.Cancel();
                        await texts.DisposeAsync().ConfigureAwait(false); // it may not be disposed of while it runs
                    }
                }
            }
        }
#endif

        /// <summary>How long a source may be waited for before text has to be looked for; negative: as long as it takes.</summary>
        internal int PatienceMs
        {
            get
            {
                int patience = stream == null ? PollMs : -1;
                if (!(releaseAfterMs > 0)) return patience;
                int release = (int)Math.Ceiling(Math.Min(releaseAfterMs, 1000));
                return patience < 0 ? release : Math.Min(patience, release);
            }
        }

        /// <summary>Nothing more comes: the end, or a block. What was not judged is no end.</summary>
        internal bool IsOver
        {
            get
            {
                if (Last.State == HoldBackState.Withheld && !isWithdrawn) throw new NotJudgedException();
                return !MayComeMore;
            }
        }

        internal bool MayComeMore => Last.State == HoldBackState.Writing || Last.State == HoldBackState.Finishing;

        internal string TakeText(double timeoutMs, CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            return Take(timeoutMs).Text;
        }

        // False: a batch has no room now.
        internal bool TryPut(string piece, CancellationToken token)
        {
            return HasRoom(() => Put(piece, token));
        }

        internal bool TryFinish(CancellationToken token)
        {
            return HasRoom(() => Finish(token));
        }

        private bool HasRoom(Action change)
        {
            try
            {
                change();
                return true;
            }
            catch (Qwen3GuardException error) when (stream == null && error.Status == Status.BudgetExceeded)
            {
                return false;
            }
        }
    }
}
