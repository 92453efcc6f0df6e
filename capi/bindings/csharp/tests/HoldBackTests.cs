// SPDX-License-Identifier: Apache-2.0
// Hold-back: what is shown is a prefix of text that was judged and is not blocked; nothing is lost or shown twice.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard;
using static Fixture;

public static class HoldBackTests
{
    private const string Clean = "Well met, traveller. The bridge fell last winter \u2014 \u4f60\u597d, \U0001f600! ";
    private const string Insult = "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. ";

    private static void Put(HoldBack hold, string text, ref string shown)
    {
        foreach (byte one in System.Text.Encoding.UTF8.GetBytes(text))
        {
            hold.Put(new[] { one });
            shown += hold.Take().Text;
            if (hold.Last.State != HoldBackState.Writing) return;
        }
    }

    private static void Answer(HoldBack hold)
    {
        string shown = "";
        Put(hold, Clean + Times(Insult, 3), ref shown);
        Check.Same(HoldBackState.Blocked, hold.Last.State);
        Check.That((Clean + Times(Insult, 3)).StartsWith(shown), shown);
        Check.That(hold.Last.Block.IsSettled && !hold.Last.Block.IsPrompt && hold.Last.Block.RetriesLeft == 5, "a block");
        Check.Same(GuardAction.Block, hold.Last.Block.Decision.Ruling.Action);
        Check.Fails(Status.InvalidArgument, () => hold.Put("x"));
        Check.Fails(Status.InvalidArgument, () => hold.Retry(-1));
        hold.Retry();
        string before = shown;
        Put(hold, Clean, ref shown);
        hold.Finish();
        while (hold.Last.State == HoldBackState.Writing || hold.Last.State == HoldBackState.Finishing) shown += hold.Take(20).Text;
        Check.Same(HoldBackState.Ended, hold.Last.State);
        Check.Same(before + Clean, shown);
        var stats = hold.Stats;
        Check.Same(stats.PutBytes, stats.ShownBytes + stats.WithdrawnBytes);
        Check.Same(1, stats.Retries);
        Check.Fails(Status.InvalidArgument, hold.Withdraw);
    }

    public static void Answers()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var batch = new GuardBatch(guard))
        {
            Check.Fails(Status.InvalidArgument, () => new HoldBack(stream));
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream, new HoldBackOptions { BufferTokens = 8 })) Answer(hold);
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put(Times(Insult, 3));
                Check.Same("", hold.Take().Text);
                hold.Withdraw();
                Check.Same(HoldBackState.Withheld, hold.Take().State);
            }
            batch.Start();
            ulong session = batch.Add();
            batch.PushPrompt(session, "Hello!");
            using (var hold = new HoldBack(batch, session)) hold.Take();
            Check.Fails(Status.InvalidArgument, () => new HoldBack(batch, session + 9));
        }
    }

    private static IEnumerable<string> Cut(string text, Random random, int most)
    {
        for (int at = 0; at < text.Length;)
        {
            int n = Math.Min(1 + random.Next(most), text.Length - at); // within surrogate pairs, too
            yield return text.Substring(at, n);
            at += n;
        }
    }

    private static Func<CancellationToken, Task<string>> Source(IEnumerable<string> pieces, Random random)
    {
        var all = pieces.GetEnumerator();
        return async token =>
        {
            await Task.Delay(random.Next(2), token);
            return all.MoveNext() ? all.Current : null;
        };
    }

    private static string All(ShownTexts texts)
    {
        string shown = "";
        while (texts.MoveNextAsync().GetAwaiter().GetResult()) shown += texts.Current;
        Check.Same(null, texts.Current);
        Check.That(!texts.MoveNextAsync().GetAwaiter().GetResult(), "nothing behind the end");
        return shown;
    }

    /// <summary>A turn, and then another way to put and take.</summary>
    private static void EachWay(Func<HoldBackOptions, HoldBack> open, Action prompt, Random random)
    {
        string text = Times(Clean, 3);
        foreach (int most in new[] { 1, 7, 400 })
        {
            foreach (bool isAsync in new[] { false, true })
            {
                prompt();
                using (var hold = open(new HoldBackOptions { BufferTokens = random.Next(30) }))
                {
                    var pieces = Cut(text, random, most);
                    string shown = isAsync ? All(hold.ShowAsync(Source(pieces, random))) : string.Concat(hold.Show(pieces));
                    Check.Same(HoldBackState.Ended, hold.Last.State);
                    Check.Same(text, shown);
                }
                prompt();
                using (var hold = open(new HoldBackOptions { BufferTokens = 12 }))
                {
                    string bad = Clean + Times(Insult, 3) + Clean;
                    var pieces = Cut(bad, random, most);
                    string shown = isAsync ? All(hold.ShowAsync(Source(pieces, random))) : string.Concat(hold.Show(pieces));
                    Check.Same(HoldBackState.Blocked, hold.Last.State);
                    Check.That(bad.StartsWith(shown) && shown.Length < Clean.Length + Insult.Length, "a prefix: " + shown);
                    hold.Retry();
                    string rest = string.Concat(hold.Show(new[] { " ", Clean }));
                    if (hold.Last.State == HoldBackState.Blocked) hold.Withdraw(); // it had begun before what was shown
                    else Check.Same(" " + Clean, rest);
                }
            }
        }
    }

    public static void ShownHoweverItIsCut()
    {
        var random = new Random(Seed);
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var batch = new GuardBatch(guard))
        {
            EachWay(options => new HoldBack(stream, options), () =>
            {
                stream.Reset();
                stream.PushPrompt("Hello!");
            }, random);
            batch.Start();
            ulong session = 0;
            EachWay(options => new HoldBack(batch, session, options), () =>
            {
                session = batch.Add();
                batch.PushPrompt(session, "Hello!");
            }, random);
        }
        using (var guard = Gen())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream)) Check.Same(Clean, string.Concat(hold.Show(Cut(Clean, random, 5))));
        }
    }

    public static void ABlockedPrompt()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard))
        {
            for (int i = 0; i < 4; ++i)
            {
                ulong session = batch.Add();
                batch.PushPrompt(session, Threat);
                if (i % 2 == 0) batch.Step(); // it is judged before the answer is opened
                using (var hold = new HoldBack(batch, session))
                {
                    if (i % 2 != 0) batch.Step();
                    string shown = i < 2 ? string.Concat(hold.Show(new[] { Clean })) : All(hold.ShowAsync(Source(new[] { Clean }, new Random(Seed))));
                    Check.Same("", shown);
                    Check.Same(HoldBackState.Blocked, hold.Last.State);
                    Check.That(hold.Last.Block.IsPrompt, "the prompt");
                }
            }
        }
    }

    /// <summary>A source that is faster than the guard waits, and loses nothing.</summary>
    public static void ABatchWithoutRoom()
    {
        const string rules = "{\"schema\": 1, \"name\": \"calm\", \"version\": \"1\", \"response\": {\"default\": \"off\"}}";
        using (var calm = Policy.Parse(rules))
        using (var guard = Live())
        using (var batch = new GuardBatch(guard, new BatchOptions { MaxWaitingBytes = 64 }))
        {
            batch.Start();
            var pieces = Enumerable.Repeat(Clean.Substring(0, 40), 12);
            foreach (bool isAsync in new[] { false, true })
            {
                ulong session = batch.Add(new StreamOptions { Policy = calm });
                batch.PushPrompt(session, "Hello!");
                using (var hold = new HoldBack(batch, session))
                {
                    string shown = isAsync ? All(hold.ShowAsync(Source(pieces, new Random(Seed)))) : string.Concat(hold.Show(pieces));
                    Check.Same(HoldBackState.Ended, hold.Last.State);
                    Check.Same(string.Concat(pieces), shown);
                }
            }
        }
    }

    public static void HalfACharacter()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put("A \ud83d");
                hold.Put("");
                hold.Put("\ude00 and \ud83d");
                // What does not go on is ill-formed, and nothing is shown behind it.
                Check.Fails(Status.InvalidUtf8, () => { hold.Put("x"); hold.Finish(); });
                Check.Fails(Status.InvalidUtf8, () => hold.Take());
                hold.Withdraw();
                Check.Same(HoldBackState.Withheld, hold.Take().State);
            }
            stream.Reset();
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put("A \ud83d");
                Check.Fails(Status.InvalidUtf8, () => hold.Finish());
            }
        }
        using (var guard = Live())
        using (var stream = new GuardStream(guard, new StreamOptions { InvalidUtf8 = InvalidUtf8.Replace }))
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream)) // its bytes come out as they were put; runtimes replace them differently
                Check.Same("A ", string.Concat(hold.Show(new[] { "A \ud83d" })).TrimEnd('\ufffd'));
        }
    }

    public static void Stopped()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var stop = new CancellationTokenSource())
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                // The source's exception passes through, and the answer goes on.
                int n = 0;
                var texts = hold.ShowAsync(token =>
                {
                    if (++n == 2) throw new InvalidOperationException("no model");
                    return Task.FromResult(n > 3 ? null : Clean);
                });
                string shown = "";
                Check.Throws<InvalidOperationException>(() =>
                {
                    while (texts.MoveNextAsync().GetAwaiter().GetResult()) shown += texts.Current;
                });
                while (texts.MoveNextAsync().GetAwaiter().GetResult()) shown += texts.Current;
                Check.Same(Clean + Clean, shown);
                Check.Same(HoldBackState.Ended, hold.Last.State);
            }
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put(Clean);
                stop.Cancel();
                Check.Throws<OperationCanceledException>(() => hold.Show(new[] { "x" }, stop.Token).Count());
                Check.Throws<OperationCanceledException>(() =>
                    hold.ShowAsync(new TextQueue()).MoveNextAsync(stop.Token).GetAwaiter().GetResult());
                hold.Withdraw();
                Check.Same(HoldBackState.Withheld, hold.Take().State);
                Check.Throws<ArgumentNullException>(() => hold.Put((string)null));
                Check.Throws<ArgumentNullException>(() => hold.Show(null));
                Check.Throws<ArgumentNullException>(() => hold.ShowAsync((TextQueue)null));
#if NET8_0_OR_GREATER
                Check.Throws<ArgumentNullException>(() => hold.ShowAsync((IAsyncEnumerable<string>)null));
#endif
            }
        }
    }

    /// <summary>A call that was stopped, or failed in front of the model, loses no piece: the next one goes on.</summary>
    public static void StoppedCallsGoOn()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var batch = new GuardBatch(guard))
        {
            batch.Start();
            ulong session = batch.Add();
            foreach (bool isBatch in new[] { false, true })
            {
                if (isBatch) batch.PushPrompt(session, "Hello!");
                else stream.PushPrompt("Hello!");
                var options = new HoldBackOptions { ReleaseAfterMs = 20 };
                using (var hold = isBatch ? new HoldBack(batch, session, options) : new HoldBack(stream, options))
                using (var stop = new CancellationTokenSource(50))
                {
                    int n = 0;
                    var texts = hold.ShowAsync(async token =>
                    {
                        if (++n == 1) await Task.Delay(Timeout.Infinite, token);
                        return n > 3 ? null : Clean;
                    });
                    var e = Check.Throws<OperationCanceledException>(() => texts.MoveNextAsync(stop.Token).GetAwaiter().GetResult());
                    Check.Same(stop.Token, e.CancellationToken);
                    Check.Same(Clean + Clean, All(texts));
                    Check.Same(HoldBackState.Ended, hold.Last.State);
                }
            }
            stream.Reset();
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                var texts = hold.ShowAsync(Source(new[] { Clean }, new Random(Seed)));
                using (stream.Handle.Enter()) // as if another thread were in a call
                    Check.Throws<InvalidOperationException>(() => texts.MoveNextAsync().GetAwaiter().GetResult());
                string shown = All(texts);
                Check.Same(HoldBackState.Ended, hold.Last.State);
                Check.Same(Clean, shown);
            }
        }
    }

    /// <summary>Behind a block nobody reads the queue, which may go on with the next try.</summary>
    public static void AQueueForTwoTries()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard))
        {
            batch.Start();
            ulong session = batch.Add();
            batch.PushPrompt(session, "Hello!");
            using (var hold = new HoldBack(batch, session))
            {
                var queue = new TextQueue();
                queue.Add(Times(Insult, 3));
                Check.Same("", All(hold.ShowAsync(queue)));
                Check.Same(HoldBackState.Blocked, hold.Last.State);
                hold.Retry();
                queue.Add(Clean);
                queue.Complete();
                Check.Same(Clean, All(hold.ShowAsync(queue)));
                Check.Same(HoldBackState.Ended, hold.Last.State);
            }
        }
    }

    /// <summary>Who withdraws knows that the rest is withheld: the sequences end.</summary>
    public static void WithdrawnMeanwhile()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream, new HoldBackOptions { ReleaseAfterMs = 5 }))
            {
                var queue = new TextQueue();
                queue.Add("Well met. ");
                var texts = hold.ShowAsync(queue);
                Check.That(texts.MoveNextAsync().GetAwaiter().GetResult(), "text");
                hold.Withdraw();
                Check.That(!texts.MoveNextAsync().GetAwaiter().GetResult(), "the end");
                Check.Same(HoldBackState.Withheld, hold.Last.State);
                texts.DisposeAsync().GetAwaiter().GetResult();
                queue.Add("Another reader's."); // nobody waits for the queue any more
                Check.Same("Another reader's.", queue.ReadAsync().GetAwaiter().GetResult());
            }
        }
    }

    /// <summary>More than one call of the library takes.</summary>
    public static void MuchAtOnce()
    {
        string text = Times("Well met, \u4f60\u597d \U0001f600. ", 200);
        using (var calm = Policy.Parse("{\"schema\": 1, \"name\": \"calm\", \"version\": \"1\", \"response\": {\"default\": \"off\"}}"))
        using (var guard = Live())
        using (var stream = new GuardStream(guard, new StreamOptions { Policy = calm }))
        {
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put(text);
                hold.Finish();
                Check.Same(text, hold.Take().Text);
                Check.Same(HoldBackState.Ended, hold.Last.State);
            }
        }
    }

    /// <summary>What was not judged is no end like another.</summary>
    public static void ShownIncompletely()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard, new StreamOptions { Context = ContextPolicy.Stop, MaxTokens = 40 }))
        {
            foreach (bool isAsync in new[] { false, true })
            {
                stream.Reset();
                stream.PushPrompt("Hello!");
                using (var hold = new HoldBack(stream))
                {
                    string text = Times(Clean, 5), shown = "";
                    Check.Throws<NotJudgedException>(() =>
                    {
                        var texts = hold.ShowAsync(Source(new[] { text }, new Random(Seed)));
                        if (!isAsync) foreach (string part in hold.Show(new[] { text })) shown += part;
                        else while (texts.MoveNextAsync().GetAwaiter().GetResult()) shown += texts.Current;
                    });
                    Check.Same(HoldBackState.Withheld, hold.Last.State);
                    Check.That(text.StartsWith(shown) && shown.Length < text.Length, shown);
                }
            }
        }
    }

    public static void OldTextLeavesWhileTheSourceWaits()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt("Hello!");
            var queue = new TextQueue();
            using (var hold = new HoldBack(stream, new HoldBackOptions { ReleaseAfterMs = 20 }))
            {
                queue.Add("Well met, traveller. ");
                var texts = hold.ShowAsync(queue);
                Check.That(texts.MoveNextAsync().GetAwaiter().GetResult(), "text, and no more was written");
                Check.That(texts.Current.StartsWith("Well met"), texts.Current);
                queue.Complete();
                while (texts.MoveNextAsync().GetAwaiter().GetResult()) { }
                Check.Same(HoldBackState.Ended, hold.Last.State);
            }
        }
    }

    public static void DeniedPhrases()
    {
        const string rules = "{\"schema\": 1, \"name\": \"lists\", \"version\": \"7\", \"lists\": {\"deny\": [\"blue moon\"]}}";
        var random = new Random(Seed);
        using (var policy = Policy.Parse(rules))
        using (var guard = Live())
        using (var stream = new GuardStream(guard, new StreamOptions { Policy = policy }))
        {
            for (int most = 1; most < 12; most += 5)
            {
                stream.Reset();
                stream.PushPrompt("Hello!");
                using (var hold = new HoldBack(stream, new HoldBackOptions { BufferTokens = 0 }))
                {
                    string text = Clean + "Once in a Blue  MOON, they say. " + Clean;
                    var pieces = Cut(text, random, most);
                    string shown = most == 6 ? All(hold.ShowAsync(Source(pieces, random))) : string.Concat(hold.Show(pieces));
                    Check.Same(HoldBackState.Blocked, hold.Last.State);
                    Check.That(!shown.Contains("MOON") && text.StartsWith(shown), shown);
                    Check.Same(Rule.DenyList, hold.Last.Block.Decision.Ruling.Rule);
                    Check.Same("lists", hold.Last.Block.Decision.Ruling.PolicyName);
                    hold.Withdraw();
                }
            }
        }
    }

#if NET8_0_OR_GREATER
    private static async IAsyncEnumerable<string> Words(string text, int delayMs,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token = default)
    {
        foreach (string word in text.Split(' '))
        {
            await Task.Delay(delayMs, token);
            yield return word + " ";
        }
    }

    public static void AsynchronousSequences() => AsynchronousSequencesAsync().GetAwaiter().GetResult();

    private static async Task AsynchronousSequencesAsync()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var batch = new GuardBatch(guard))
        {
            batch.Start();
            foreach (bool isBatch in new[] { false, true })
            {
                foreach (string text in new[] { Clean + Clean, Clean + Times(Insult, 3) })
                {
                    ulong session = batch.Add();
                    stream.Reset();
                    if (isBatch) batch.PushPrompt(session, "Hello!");
                    else stream.PushPrompt("Hello!");
                    using (var hold = isBatch ? new HoldBack(batch, session) : new HoldBack(stream))
                    {
                        string shown = "";
                        await foreach (string part in hold.ShowAsync(Words(text, 1))) shown += part;
                        bool isGood = text == Clean + Clean;
                        Check.Same(isGood ? HoldBackState.Ended : HoldBackState.Blocked, hold.Last.State);
                        Check.That(isGood ? shown == text + " " : text.StartsWith(shown), shown);
                    }
                }
            }
            // Left early: nobody reads the queue any more.
            stream.Reset();
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream, new HoldBackOptions { ReleaseAfterMs = 5 }))
            {
                var queue = new TextQueue();
                queue.Add("Well met. ");
                await foreach (string part in hold.ShowAsync(queue)) break;
                queue.Add("And?");
                Check.Same("And?", await queue.ReadAsync());
            }
            // Stopped while the source waits.
            stream.Reset();
            stream.PushPrompt("Hello!");
            using (var stop = new CancellationTokenSource(50))
            using (var hold = new HoldBack(stream))
            {
                try
                {
                    await foreach (string part in hold.ShowAsync(Words(Clean, 20000)).WithCancellation(stop.Token)) { }
                    Check.That(false, "it was stopped");
                }
                catch (OperationCanceledException)
                {
                }
                hold.Withdraw();
            }
        }
    }
#endif
}
