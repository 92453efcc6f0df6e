// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Qwen3Guard;
using static Fixture;

public static class StreamTests
{
    public static void RandomSplits()
    {
        Console.WriteLine("seed " + Seed);
        var random = new Random(Seed);
        var text = Encoding.UTF8.GetBytes(Times(Story, 3));
        using (var guard = Live())
        using (var whole = new GuardStream(guard))
        {
            whole.PushPrompt(Prompt);
            Check.That(whole.PushText(text).Tokens.Count > 32, "more than the first room");
            for (int round = 0; round < 10; ++round)
            {
                var found = new List<TokenVerdict>();
                using (var stream = new GuardStream(guard))
                {
                    stream.PushPrompt(Prompt);
                    for (int at = 0; at < text.Length;)
                    {
                        int n = Math.Min(random.Next(1, 41), text.Length - at);
                        var update = stream.PushText(text.Skip(at).Take(n).ToArray());
                        found.RemoveRange(update.First, found.Count - update.First);
                        found.AddRange(update.Tokens);
                        at += n;
                    }
                }
                Close(found, whole.Verdicts());
            }
        }
    }

    public static void TurnsMarksAndForks()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            Check.Same(Severity.Safe, stream.PushPrompt(Prompt).Severity);
            stream.PushText("Once upon ");
            var mark = stream.GetMark();
            using (var fork = stream.Fork())
            {
                stream.PushText(Threat);
                stream.Rewind(mark);
                stream.PushText("a fox. ");
                fork.PushText("a fox. ");
                Close(stream.Verdicts(), fork.Verdicts());
            }
            stream.RewindToByte(5);
            Check.Same(5L, stream.Info.TurnBytes);
            var turn = stream.EndTurn();
            Check.That(turn.Role == Role.Assistant && turn.Prompt == null && turn.Written == null, "an assistant's turn");
            Check.Fails(Status.InvalidArgument, () => stream.PushText("x"));
            stream.BeginTurn(Role.User);
            stream.PushText("And?");
            Check.That(stream.EndTurn().Prompt != null, "a user's turn");
            stream.Reset();
            Check.Fails(Status.InvalidArgument, () => stream.Rewind(mark));
            stream.Restore(new[] { new Message(Role.User, "Hi."), new Message(Role.Assistant, "Hello.") });
            stream.PushConversation(new[] { new Message(Role.User, "Go on.") });
            int[] ids;
            using (var tokenizer = guard.GetTokenizer()) ids = tokenizer.Encode("A fox.");
            Check.Same(ids.Length, stream.PushTokens(ids).Length);
            Check.Fails(Status.TokenRange, () => stream.PushTokens(new[] { -1 }));
            using (var ends = new GuardStream(guard))
            using (var allows = new GuardStream(guard, new StreamOptions { AllowControlIds = true }))
            {
                int end = ends.PushPrompt(Prompt).Id;  // <|im_end|>
                Check.Fails(Status.InvalidArgument, () => ends.PushTokens(new[] { end, ids[0] }));
                var last = ends.PushTokens(ids.Concat(new[] { end }).ToArray()).Last();
                Check.That(last.Id == end && last.Source == Source.None && !last.Counts, "a model's end of sequence");
                Check.Fails(Status.InvalidArgument, () => ends.PushTokens(ids));
                Check.That(ends.EndTurn().Decision.IsComplete, "the turn ends as ever");
                allows.PushPrompt(Prompt);
                Check.Same(Source.Heads, allows.PushTokens(new[] { end, ids[0] })[0].Source);
            }
            using (var a = new GuardStream(guard))
            using (var b = new GuardStream(guard))
            {
                a.PushPrompt(Prompt);
                b.PushPrompt(Prompt);
                var pushes = new[]
                {
                    new StreamPush { Stream = a, Ids = ids }, new StreamPush { Stream = b, Ids = new[] { -1 } },
                };
                GuardStream.PushBatch(guard, pushes);
                Close(pushes[0].Tokens, a.Verdicts());
                Check.Same(Status.TokenRange, pushes[1].Error.Status);
            }
            using (var small = new GuardStream(guard, new StreamOptions { MaxTokens = 40 }))
            {
                Check.Fails(Status.ContextFull, () => small.PushPrompt(Times(Story, 9)));
                small.Dispose();
                Check.Throws<ObjectDisposedException>(() => small.PushPrompt("x"));
            }
            Check.Fails(Status.InvalidArgument, () => new GuardStream(guard, new StreamOptions { MaxTokens = -1 }));
        }
    }

    public static void BatchOfStreams()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard, new BatchOptions { MaxStepTokens = 32, MaxSessionTokens = 16 }))
        {
            var ids = new ulong[3];
            for (int i = 0; i < ids.Length; ++i)
            {
                ids[i] = batch.Add();
                batch.PushPrompt(ids[i], Prompt);
                batch.PushText(ids[i], Times(Threat, i + 1), 1000);
            }
            batch.PushText(ids[0], new byte[] { 0xFF });
            batch.EndTurn(ids[1]);
            Check.That(batch.Step() > 0, "tokens were judged");
            Check.Same(Status.InvalidUtf8, batch.Poll(ids[0]).Last().Error.Status);
            Check.Same(Role.Assistant, batch.Poll(ids[1]).Last().Turn.Role);
            var alone = new GuardStream(guard);
            alone.PushPrompt(Prompt);
            var update = alone.PushText(Times(Threat, 3));
            batch.Visit(ids[2], stream => Close(stream.Verdicts(), update.Tokens));
            ulong moved = batch.AddStream(alone);
            Check.Throws<ObjectDisposedException>(() => alone.PushText("x"));
            batch.PushText(moved, " More.");
            batch.Start();
            Check.That(batch.Poll(moved, 60000).Count > 0, "the thread judges");
            batch.Stop();
            batch.BeginTurn(ids[1], Role.User);
            batch.PushTokens(ids[1], new[] { 1, 2, 3 });
            batch.Step();
            Check.Same(4UL, batch.Stats.Sessions);
            Check.Throws<InvalidOperationException>(() =>
                batch.Visit(ids[2], stream => { throw new InvalidOperationException("mine"); }));
            batch.Remove(ids[0]);
            Check.Fails(Status.InvalidArgument, () => batch.Poll(ids[0]));
            Check.Fails(Status.InvalidArgument, () => new GuardBatch(guard, new BatchOptions { MaxStepTokens = 0 }));
        }
    }

    public static void BatchTellsOfWhatIsOverdue()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard))
        {
            ulong session = batch.Add();
            batch.PushPrompt(session, Prompt, 0);
            var found = batch.Poll(session, 60000).Single();  // nobody steps, and there is no silence
            Check.Same(EventKind.Overdue, found.Kind);
            Check.That(found.IsLate && found.Update.Tokens.Count == 0 && found.Turn == null && found.Error == null, "no verdict");
            Check.Same(Severity.NotJudged, found.Decision.Severity);
            Check.Same(1UL, batch.Stats.OverdueSessions);
            Check.That(batch.Stats.OldestWaitingMs > 0, "it waits");
            batch.Step();
            Check.Same(EventKind.TurnEnd, batch.Poll(session).Single().Kind);
            Check.Same(0UL, batch.Stats.OverdueSessions);
            Check.Same(0.0, batch.Stats.OldestWaitingMs);
        }
    }
}
