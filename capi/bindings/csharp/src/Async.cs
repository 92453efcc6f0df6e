// SPDX-License-Identifier: Apache-2.0
// The model's calls as tasks: they run on the thread pool, and a CancellationToken stops them while they run.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Qwen3Guard
{
    public sealed partial class Guard
    {
        /// <summary>Load on the thread pool; it takes up to seconds. The token is looked at before it starts.</summary>
        public static Task<Guard> LoadAsync(string path, GuardOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => Load(path, options), token);
        }

        /// <summary>ClassifyPrompt on the thread pool.</summary>
        public Task<Verdict> ClassifyPromptAsync(string prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => ClassifyPrompt(prompt, options, token), token);
        }

        /// <summary>ClassifyResponse on the thread pool.</summary>
        public Task<Verdict> ClassifyResponseAsync(string prompt, string response, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => ClassifyResponse(prompt, response, options, token), token);
        }

        /// <summary>Classify on the thread pool.</summary>
        public Task<Verdict> ClassifyAsync(IReadOnlyList<Message> messages, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => Classify(messages, options, token), token);
        }

        /// <summary>ClassifyBatch on the thread pool.</summary>
        public Task<IReadOnlyList<BatchVerdict>> ClassifyBatchAsync(IReadOnlyList<IReadOnlyList<Message>> conversations,
            ClassifyOptions options = null, CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => ClassifyBatch(conversations, options, token), token);
        }
    }

    public sealed partial class GuardStream
    {
        /// <summary>PushPrompt on the thread pool.</summary>
        public Task<TokenVerdict> PushPromptAsync(string prompt, CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => PushPrompt(prompt, token), token);
        }

        /// <summary>PushText on the thread pool.</summary>
        public Task<Update> PushTextAsync(string text, CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => PushText(text, token), token);
        }

        /// <summary>EndTurn on the thread pool.</summary>
        public Task<Turn> EndTurnAsync(CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => EndTurn(token), token);
        }

        /// <summary>Pushes each piece; yields what it changed. The turn stays open.</summary>
        public IEnumerable<Update> Judge(IEnumerable<string> pieces, CancellationToken token = default(CancellationToken))
        {
            return Each(Call.Need(pieces, nameof(pieces)), token);
        }

        private IEnumerable<Update> Each(IEnumerable<string> pieces, CancellationToken token)
        {
            foreach (var piece in pieces) yield return PushText(piece, token);
        }

        /// <summary>The same for a source that is waited for: next gives a piece, and null when there are no more.</summary>
        public AsyncUpdates JudgeAsync(Func<CancellationToken, Task<string>> next)
        {
            return new AsyncUpdates(this, Call.Need(next, nameof(next)));
        }

        /// <summary>The same for what the host's own code adds to a queue.</summary>
        public AsyncUpdates JudgeAsync(TextQueue queue)
        {
            return new AsyncUpdates(this, Call.Need(queue, nameof(queue)).ReadAsync);
        }

#if NET8_0_OR_GREATER || NETSTANDARD2_1
        /// <summary>The same for an asynchronous sequence.</summary>
        public IAsyncEnumerable<Update> JudgeAsync(IAsyncEnumerable<string> pieces, CancellationToken token = default)
        {
            return EachAsync(Call.Need(pieces, nameof(pieces)), token);
        }

        private async IAsyncEnumerable<Update> EachAsync(IAsyncEnumerable<string> pieces,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
        {
            var source = pieces.GetAsyncEnumerator(token);
            await using (source.ConfigureAwait(false))
            {
                var updates = JudgeAsync(async stop => await source.MoveNextAsync().ConfigureAwait(false)
                    ? Call.Need(source.Current, "a piece") : null);
                while (await updates.MoveNextAsync(token).ConfigureAwait(false)) yield return updates.Current;
            }
        }
#endif
    }
}
