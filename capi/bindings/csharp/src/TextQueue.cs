// SPDX-License-Identifier: Apache-2.0
using System;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Qwen3Guard
{
    /// <summary>Text between the code that writes it, on any thread, and GuardStream.JudgeAsync. What is added while the model
    /// is busy is joined and judged together, so that a slow model falls behind less.</summary>
    public sealed class TextQueue
    {
        private readonly object mutex = new object();
        private readonly StringBuilder text = new StringBuilder();
        private TaskCompletionSource<string> reader; // waits; null when none does
        private bool isComplete;
        private Exception error;

        /// <summary>Appends text, which may be split anywhere, also within a character. Any thread; does not wait.</summary>
        public void Add(string piece)
        {
            Call.Need(piece, nameof(piece));
            lock (mutex)
            {
                if (isComplete) throw new InvalidOperationException("the queue was completed; expected no more text");
                text.Append(piece);
                Serve();
            }
        }

        /// <summary>Says that there is no more; error: why the text broke off, which ReadAsync then throws behind what is
        /// there. Any thread; the first call counts.</summary>
        public void Complete(Exception error = null)
        {
            lock (mutex)
            {
                if (isComplete) return;
                isComplete = true;
                this.error = error;
                Serve();
            }
        }

        /// <summary>All the text that is there, or else that comes first; null behind the last. One reader at a time.</summary>
        public Task<string> ReadAsync(CancellationToken token = default(CancellationToken))
        {
            if (token.IsCancellationRequested) return Task.FromCanceled<string>(token);
            TaskCompletionSource<string> mine;
            lock (mutex)
            {
                if (reader != null && !reader.Task.IsCompleted)
                {
                    throw new InvalidOperationException("the queue has a reader that waits; expected one at a time");
                }
                mine = reader = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
                Serve();
            }
            if (!token.CanBeCanceled || mine.Task.IsCompleted) return mine.Task;
            var registration = token.Register(() => mine.TrySetCanceled(token));
            mine.Task.ContinueWith(done => registration.Dispose(), CancellationToken.None, TaskContinuationOptions.None,
                TaskScheduler.Default);
            return mine.Task;
        }

        // A reader that is cancelled meanwhile takes nothing. Half a character at the end waits for the other half.
        private void Serve()
        {
            if (reader == null) return;
            int n = text.Length;
            if (n > 0 && !isComplete && char.IsHighSurrogate(text[n - 1])) --n;
            if (n > 0)
            {
                if (reader.TrySetResult(text.ToString(0, n))) text.Remove(0, n);
            }
            else if (isComplete)
            {
                if (error == null) reader.TrySetResult(null);
                else reader.TrySetException(error);
            }
            if (reader.Task.IsCompleted) reader = null;
        }
    }
}
