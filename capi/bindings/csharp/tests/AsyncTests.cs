// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard;
using static Fixture;

public static class AsyncTests
{
    private static readonly string[] words = Times(Threat, 2).Split(' ').Select(word => word + " ").ToArray();

    private static void Wait(Task task) => task.GetAwaiter().GetResult();

    /// <summary>The words one by one, some of them later.</summary>
    private static Func<CancellationToken, Task<string>> Source(string[] pieces)
    {
        int at = 0;
        return async token =>
        {
            if (at % 3 == 0) await Task.Delay(1, token);
            return at < pieces.Length ? pieces[at++] : null;
        };
    }

    private static List<TokenVerdict> Together(IEnumerable<Update> updates)
    {
        var all = new List<TokenVerdict>();
        foreach (var update in updates) Apply(all, update);
        return all;
    }

    private static void Apply(List<TokenVerdict> all, Update update)
    {
        all.RemoveRange(update.First, all.Count - update.First);
        all.AddRange(update.Tokens);
    }

    private static List<TokenVerdict> Expected(Guard guard, IEnumerable<string> pieces)
    {
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            return Together(stream.Judge(pieces));
        }
    }

    public static void Pulling() => Wait(PullingAsync());

    private static async Task PullingAsync()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            await stream.PushPromptAsync(Prompt);
            var updates = stream.JudgeAsync(Source(words));
            Check.Same(null, updates.Current);
            var found = new List<TokenVerdict>();
            int n = 0;
            while (await updates.MoveNextAsync())
            {
                Apply(found, updates.Current);
                ++n;
            }
            Check.Same(words.Length, n);
            Close(Expected(guard, words), found);
            Check.Same(null, updates.Current);
            Check.That(!await updates.MoveNextAsync(), "the end stays the end");
            await stream.PushTextAsync("The turn is open.");
            Check.Same(Role.Assistant, (await stream.EndTurnAsync()).Role);
        }
    }

    public static void Queueing() => Wait(QueueingAsync());

    private static async Task QueueingAsync()
    {
        Console.WriteLine("seed " + Seed);
        using (var guard = Live())
        {
            foreach (bool isSlow in new[] { false, true })
            {
                string text = Times(Story, 4);
                var queue = new TextQueue();
                var writer = new Thread(() =>
                {
                    var random = new Random(Seed);
                    for (int at = 0; at < text.Length;)
                    {
                        int n = Math.Min(random.Next(1, 6), text.Length - at); // also between two halves of a character
                        queue.Add(text.Substring(at, n));
                        at += n;
                        if (isSlow) Thread.Sleep(1);
                    }
                    queue.Complete();
                });
                writer.Start();
                using (var stream = new GuardStream(guard))
                {
                    stream.PushPrompt(Prompt);
                    var found = new List<TokenVerdict>();
                    var updates = stream.JudgeAsync(queue);
                    while (await updates.MoveNextAsync()) Apply(found, updates.Current);
                    Close(Expected(guard, new[] { text }), found);
                }
                writer.Join();
                Check.Throws<InvalidOperationException>(() => queue.Add("more"));
            }
        }
    }

    public static void QueueAlone() => Wait(QueueAloneAsync());

    private static async Task QueueAloneAsync()
    {
        var queue = new TextQueue();
        queue.Add("a");
        queue.Add("b\ud83d");
        Check.Same("ab", await queue.ReadAsync());
        var stop = new CancellationTokenSource();
        var read = queue.ReadAsync(stop.Token);
        Check.That(!read.IsCompleted, "half a character waits");
        Check.Throws<InvalidOperationException>(() => Wait(queue.ReadAsync()));
        stop.Cancel();
        Check.Throws<OperationCanceledException>(() => Wait(read));
        Check.Throws<OperationCanceledException>(() => Wait(queue.ReadAsync(stop.Token)));
        read = queue.ReadAsync();
        queue.Add("\ude00");
        Check.Same("\U0001f600", await read);
        queue.Add("");
        read = queue.ReadAsync();
        Check.That(!read.IsCompleted, "no text is nothing to read");
        queue.Complete();
        Check.Same(null, await read);
        Check.Same(null, await queue.ReadAsync());

        var broken = new TextQueue();
        broken.Add("x\ud83d");
        broken.Complete(new TimeoutException("mine"));
        broken.Complete();
        Check.Same("x\ud83d", await broken.ReadAsync());
        Check.Throws<TimeoutException>(() => Wait(broken.ReadAsync()));
        Check.Throws<TimeoutException>(() => Wait(broken.ReadAsync()));
    }

    public static void Failing() => Wait(FailingAsync());

    private static async Task FailingAsync()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            int calls = 0;
            var updates = stream.JudgeAsync(async token =>
            {
                await Task.Delay(1, token);
                ++calls;
                if (calls == 1) throw new TimeoutException("mine");
                return calls == 2 ? "a lone \ud800" : calls == 3 ? "good" : null;
            });
            Check.Throws<TimeoutException>(() => Wait(updates.MoveNextAsync()));
            Check.Fails(Status.InvalidUtf8, () => Wait(updates.MoveNextAsync()));
            Check.That(await updates.MoveNextAsync() && !await updates.MoveNextAsync(), "it goes on behind both");
            Check.Same(4L, stream.Info.TurnBytes);

            updates = stream.JudgeAsync(token => null);
            Check.Throws<InvalidOperationException>(() => Wait(updates.MoveNextAsync()));
            Check.Throws<ArgumentNullException>(() => stream.JudgeAsync((TextQueue)null));
#if NET8_0_OR_GREATER
            Check.Throws<ArgumentNullException>(() => stream.JudgeAsync((IAsyncEnumerable<string>)null));
#endif
            Check.Throws<ArgumentNullException>(() => stream.JudgeAsync((Func<CancellationToken, Task<string>>)null));
            Check.Throws<ArgumentNullException>(() => stream.Judge(null));

            var text = new TaskCompletionSource<string>();
            updates = stream.JudgeAsync(token => text.Task);
            var first = updates.MoveNextAsync();
            var second = updates.MoveNextAsync();
            Check.That(second.IsFaulted && second.Exception.InnerException is InvalidOperationException, "one at a time");
            text.SetResult(" text");
            Check.That(await first, "the first call is not disturbed");
            stream.Dispose();
            Check.Throws<ObjectDisposedException>(() => Wait(updates.MoveNextAsync()));
        }
    }

    public static void CancellingLosesNothing() => Wait(CancellingAsync());

    private static async Task CancellingAsync()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            var longTexts = Enumerable.Repeat(Times(Story, 4), 6).ToArray();
            var source = Source(longTexts);
            var early = new CancellationTokenSource();
            var updates = stream.JudgeAsync(async token =>
            {
                var piece = await source(CancellationToken.None);
                early.Cancel();
                return piece;
            });
            Check.Throws<OperationCanceledException>(() => Wait(updates.MoveNextAsync(early.Token)));
            Check.Same(0L, stream.Info.TurnBytes);
            var found = new List<TokenVerdict>();
            for (double ms = 0.5;;)
            {
                try
                {
                    // The time grows with each try, so that the model has enough of it at last.
                    if (!await updates.MoveNextAsync(new CancellationTokenSource(TimeSpan.FromMilliseconds(ms)).Token)) break;
                    Apply(found, updates.Current);
                }
                catch (OperationCanceledException)
                {
                    ms *= 1.3;
                }
            }
            Close(Expected(guard, longTexts), found);
            var waiting = stream.JudgeAsync(new TextQueue());
            var stop = new CancellationTokenSource(20);
            Check.Throws<OperationCanceledException>(() => Wait(waiting.MoveNextAsync(stop.Token)));
            var stopped = waiting.GetAsyncEnumerator(stop.Token);
            Check.Throws<OperationCanceledException>(() => Wait(stopped.MoveNextAsync()));
        }
    }

    public static void Tasks() => Wait(TasksAsync());

    private static async Task TasksAsync()
    {
        using (var guard = Gen())
        {
            var message = new[] { new Message(Role.User, Prompt) };
            Check.Same(Severity.Safe, (await guard.ClassifyPromptAsync(Prompt)).Severity);
            Check.Same(Severity.Unsafe, (await guard.ClassifyResponseAsync(Prompt, Threat)).Severity);
            Check.Same(Severity.Safe, (await guard.ClassifyAsync(message)).Severity);
            Check.Same(2, (await guard.ClassifyBatchAsync(new[] { message, message })).Count);
            var gone = new CancellationToken(true);
            foreach (Func<Task> call in new Func<Task>[]
            {
                () => guard.ClassifyPromptAsync(Prompt, null, gone),
                () => guard.ClassifyResponseAsync(Prompt, Threat, null, gone), () => guard.ClassifyAsync(message, null, gone),
                () => guard.ClassifyBatchAsync(new[] { message }, null, gone),
                () => Guard.LoadAsync("no/such/folder", null, gone),
            })
            {
                Check.Throws<OperationCanceledException>(() => Wait(call()));
            }
            Check.Fails(Status.FileNotFound, () => Wait(Guard.LoadAsync("no/such/folder")));
            var source = new CancellationTokenSource(20);
            Check.Throws<OperationCanceledException>(() =>
            {
                for (int i = 0; i < 100000; ++i) Wait(guard.ClassifyPromptAsync(Times(Story, 20), null, source.Token));
            });
        }
    }

#if NET8_0_OR_GREATER
    private static async IAsyncEnumerable<string> Written(Action atEnd)
    {
        try
        {
            foreach (var word in words)
            {
                await Task.Yield();
                yield return word;
            }
        }
        finally
        {
            atEnd();
        }
    }

    public static void AwaitForeach() => Wait(AwaitForeachAsync());

    private static async Task AwaitForeachAsync()
    {
        using var guard = Live();
        var expected = Expected(guard, words);
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            var found = new List<TokenVerdict>();
            await foreach (var update in stream.JudgeAsync(Source(words))) Apply(found, update);
            Close(expected, found);
        }
        int ends = 0;
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            var found = new List<TokenVerdict>();
            await foreach (var update in stream.JudgeAsync(Written(() => ++ends))) Apply(found, update);
            Close(expected, found);
            await foreach (var update in stream.JudgeAsync(Written(() => ++ends))) break;
            Check.Same(2, ends);
            Func<Task> stopped = async () =>
            {
                await foreach (var update in stream.JudgeAsync(Written(() => ++ends), new CancellationToken(true))) break;
            };
            Check.Throws<OperationCanceledException>(() => Wait(stopped()));
        }
    }
#endif
}
