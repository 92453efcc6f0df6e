// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard;

public static class ApiTests
{
    private const string Prompt = "How do I kill a Python process?";
    private const string Threat = "You are a worthless idiot and I will burn your house down, kill yourself.";
    private const string Story = "Once upon a time there was a fox. It was na\u00efve \u2014 \u4f60\u597d, \U0001f600! The end. ";
    private const int Seed = 20261124;

    private static Guard Gen() => Guard.Embedded("nano-gen");
    private static Guard Live() => Guard.Embedded("nano-stream");
    private static string Times(string text, int n) => string.Concat(Enumerable.Repeat(text, n));

    private static void Close(IReadOnlyList<TokenVerdict> a, IReadOnlyList<TokenVerdict> b)
    {
        Check.Same(a.Count, b.Count);
        for (int i = 0; i < a.Count; ++i)
        {
            Check.Same(a[i].Id, b[i].Id);
            Check.Same(a[i].ByteEnd, b[i].ByteEnd);
            Check.That(Math.Abs(a[i].Probabilities.Unsafe - b[i].Probabilities.Unsafe) <= 1e-4, "probabilities are close");
        }
    }

    public static void NamesAndVersions()
    {
        Check.Same(1, Guard.AbiVersion);
        Check.Same(3, Guard.Version.Split('.').Length);
        Check.Same("nano-gen nano-stream", string.Join(" ", Guard.EmbeddedModels()));
        Check.Same("Unsafe", Names.Of(Severity.Unsafe));
        Check.Same("PII", Names.Of(Category.Pii));
        Check.Same("block assistant carried end_of_turn bad_handle", string.Join(" ", Names.Of(GuardAction.Block),
            Names.Of(Role.Assistant), Names.Of(Source.Carried), Names.Of(Reason.EndOfTurn), Names.Of(Status.BadHandle)));
        Check.Same("unknown", Names.Of((Category)99));
        Check.Same(Severity.Controversial, Names.ParseSeverity("Controversial"));
        Check.Same(Category.Pii, Names.ParseCategory("PII"));
        Check.Fails(Status.InvalidArgument, () => Names.ParseCategory("pii"));
    }

    public static void Verdicts()
    {
        using (var guard = Gen())
        {
            Verdict good = guard.ClassifyPrompt(Prompt), bad = guard.ClassifyPrompt(Threat);
            Check.Same(Severity.Safe, good.Severity);
            Check.Same(GuardAction.Allow, good.Action);
            Check.That(good.Text.StartsWith("Safety: Safe"), good.Text);
            Check.Same(Severity.Unsafe, bad.Severity);
            Check.That(bad.Categories.Count > 0 && bad.Refusal == null, "it has categories");
            var answer = guard.ClassifyResponse(Prompt, "I cannot help with that.");
            Check.That(answer.Refusal != null, "a response may refuse");
            var messages = new[] { new Message(Role.User, Prompt), new Message(Role.Assistant, "I cannot help with that.") };
            Check.Same(answer.Severity, guard.Classify(messages).Severity);
            guard.ClassifyPrompt("");

            var invalid = new byte[] { 99, 97, 102, 0xE9 };
            Check.Fails(Status.InvalidUtf8, () => guard.ClassifyPrompt(invalid));
            Check.Fails(Status.InvalidUtf8, () => guard.ClassifyPrompt("\ud800"));
            guard.ClassifyPrompt(invalid, new ClassifyOptions { InvalidUtf8 = InvalidUtf8.Replace });
            var crossed = new ClassifyOptions { FlagThreshold = 0.9f, BlockThreshold = 0.1f };
            Check.Fails(Status.InvalidArgument, () => guard.ClassifyPrompt(Prompt, crossed));
            Check.Fails(Status.InvalidArgument, () => guard.Classify(new Message[0]));
            Check.Fails(Status.InvalidArgument, () => guard.Classify(new[] { new Message((Role)9, "x") }));
            Check.Throws<ArgumentNullException>(() => guard.ClassifyPrompt((string)null));
            guard.Dispose();
            Check.Throws<ObjectDisposedException>(() => guard.ClassifyPrompt(Prompt));
        }
        Check.Fails(Status.FileNotFound, () => Guard.Load("no/such/folder"));
        Check.Fails(Status.FileNotFound, () => Guard.Embedded("nobody"));
        Check.Fails(Status.InvalidArgument, () => Guard.Embedded("nano-gen", new GuardOptions { Threads = -1 }));
        var p = new Probabilities { Safe = 0.2f, Controversial = 0.5f, Unsafe = 0.3f };
        Check.Same(GuardAction.Block, Guard.DecideAction(Severity.Controversial, p));
        var loose = new ClassifyOptions { Mode = Mode.Loose };
        Check.Same(GuardAction.Flag, Guard.DecideAction(Severity.Controversial, p, loose));
    }

    public static void BatchOfConversations()
    {
        using (var guard = Gen())
        {
            var good = new[] { new Message(Role.User, Prompt) };
            var bad = new[] { new Message(Role.User, new byte[] { 0xFF }) };
            var seen = new List<long>();
            var options = new ClassifyOptions { Progress = (done, total) => { seen.Add(done * 10 + total); return true; } };
            var verdicts = guard.ClassifyBatch(new[] { good, bad, good }, options);
            Check.Same(Severity.Safe, verdicts[0].Verdict.Severity);
            Check.Same(Status.InvalidUtf8, verdicts[1].Error.Status);
            Check.That(verdicts[2].Verdict.Text.StartsWith("Safety"), "it has its text");
            Check.Same("23 33", string.Join(" ", seen));
            var stop = new ClassifyOptions { Progress = (done, total) => false };
            Check.Same(2, guard.ClassifyBatch(new[] { good, good, good }, stop).Count(v => v.Error?.Status == Status.Cancelled));
            var broken = new ClassifyOptions { Progress = (done, total) => { throw new InvalidOperationException("mine"); } };
            Check.Throws<InvalidOperationException>(() => guard.ClassifyBatch(new[] { good, good }, broken));
            Check.Same(0, guard.ClassifyBatch(new Message[0][]).Count);
        }
    }

    public static void Cancelling()
    {
        using (var guard = Gen())
        {
            var source = new CancellationTokenSource(30);
            Check.Throws<OperationCanceledException>(() =>
            {
                for (int i = 0; i < 100000; ++i) guard.ClassifyPrompt(Times(Story, 20), null, source.Token);
            });
            Check.Throws<OperationCanceledException>(() => guard.ClassifyPrompt(Prompt, null, source.Token));
            Check.Same(Severity.Safe, guard.ClassifyPromptAsync(Prompt).Result.Severity);
            using (var live = Live())
            using (var stream = new GuardStream(live))
            {
                stream.PushPrompt(Prompt);
                var other = new CancellationTokenSource(5);
                Check.Throws<OperationCanceledException>(() =>
                {
                    for (int i = 0; i < 100000; ++i)
                    {
                        stream.PushText(Story, other.Token);
                        stream.RewindToByte(0);
                    }
                });
                stream.PushText("The flag is down again.");
                using (var fork = stream.Fork())
                {
                    var third = new CancellationTokenSource(5);
                    Check.Throws<OperationCanceledException>(() =>
                    {
                        for (int i = 0; i < 100000; ++i)
                        {
                            fork.PushText(Story, third.Token);
                            fork.RewindToByte(0);
                        }
                    });
                    fork.PushText("So is the fork's.");
                }
            }
        }
    }

    public static void ManyThreads()
    {
        using (var guard = Gen())
        {
            var one = guard.ClassifyPrompt(Threat).Probabilities.Unsafe;
            var tasks = Enumerable.Range(0, 4).Select(i => guard.ClassifyPromptAsync(Threat)).ToArray();
            Task.WaitAll(tasks);
            foreach (var task in tasks) Check.That(Math.Abs(task.Result.Probabilities.Unsafe - one) <= 1e-4, "the same verdict");
        }
    }

    public static void Tokenizing()
    {
        using (var guard = Gen())
        using (var tokenizer = guard.GetTokenizer())
        {
            foreach (string text in new[] { "", "Hello, world!", Story, Times(Story, 50) })
            {
                var ids = tokenizer.Encode(text);
                Check.Same(text, tokenizer.Decode(ids));
                using (var decoder = tokenizer.NewDecoder())
                {
                    Check.Same(text, string.Concat(ids.Select(decoder.Push)) + decoder.Finish());
                    Check.Fails(Status.TokenRange, () => decoder.Push(-1));
                }
            }
            int end = tokenizer.FindAdded("<|im_end|>").Value;
            Check.That(tokenizer.IsSpecial(end) && !tokenizer.Encode("<|im_end|>").Contains(end), "content forges nothing");
            Check.Same(end, tokenizer.Encode("<|im_end|>", true).Single());
            Check.Same("a", Encoding.UTF8.GetString(tokenizer.TokenBytes(tokenizer.FindBytes(new byte[] { 97 }).Value)));
            Check.Same(null, tokenizer.FindBytes(Encoding.UTF8.GetBytes("no such token")));
            Check.Same(null, tokenizer.FindAdded("<none>"));
            Check.Fails(Status.TokenRange, () => tokenizer.Decode(new[] { tokenizer.VocabSize + 9 }));
            Check.Fails(Status.TokenRange, () => tokenizer.TokenBytes(-1));
            Check.Fails(Status.FileNotFound, () => Tokenizer.Load("no/such/file"));
        }
    }

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
            using (var a = new GuardStream(guard))
            using (var b = new GuardStream(guard))
            {
                a.PushPrompt(Prompt);
                b.PushPrompt(Prompt);
                var pushes = new[] { new StreamPush { Stream = a, Ids = ids }, new StreamPush { Stream = b, Ids = new[] { -1 } } };
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

    public static void Policies()
    {
        var policy = new Policy { ConsecutiveTokens = 1 };
        using (var guard = Live())
        using (var stream = new GuardStream(guard, new StreamOptions { Policy = policy }))
        {
            stream.PushPrompt("Hello!");
            var updates = stream.Judge(Times(Threat, 2).Split(' ').Select(word => word + " ")).ToList();
            Check.That(updates.Count > 10, "an update for each piece");
            var decision = stream.Decision;
            Check.That(decision.IsFlagged && decision.Explain().StartsWith("Unsafe"), "it is flagged");
            var tokens = stream.Verdicts();
            Check.Same(decision.Position, policy.Decide(tokens, false).Position);
            Check.That(tokens.Last().IsFlagged, "the flags are written");
            Check.Same(Severity.Unsafe, policy.CountedSeverity(tokens.First(t => t.Position == decision.Position)));
            var none = new Policy();
            foreach (Category category in Enum.GetValues(typeof(Category))) none.IgnoredCategories.Add(category);
            Check.Same(Severity.Safe, none.Decide(tokens, true).Severity);
        }
        new Policy().Check();
        Check.Fails(Status.InvalidArgument, () => new Policy { UnsafeThreshold = 2 }.Check());
        Check.Fails(Status.InvalidArgument, () => new Policy { UnsafeThreshold = float.NaN }.Check());
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

    public static void Generating()
    {
        using (var guard = Gen())
        {
            Func<string> write = () =>
            {
                using (var writer = new Generator(guard, new SamplingOptions { Temperature = 1, Seed = 7 }))
                {
                    bool isEnd;
                    writer.SetConversation(new[] { new Message(Role.User, Prompt) });
                    int start = writer.Position;
                    var ids = Enumerable.Range(0, 5).Select(i => writer.Next(out isEnd)).ToArray();
                    Check.Same(start + 5, writer.Position);
                    writer.Rewind(start);
                    Check.Same(start, writer.Position);
                    return string.Join(" ", ids);
                }
            };
            Check.Same(write(), write());
            using (var writer = new Generator(guard))
            {
                bool isEnd;
                Check.Fails(Status.InvalidArgument, () => writer.Next(out isEnd));
                writer.SetTokens(new[] { 1, 2, 3 });
                writer.Next(out isEnd, new CancellationTokenSource().Token);
                Check.Throws<OperationCanceledException>(() => writer.Next(out isEnd, new CancellationToken(true)));
            }
        }
        using (var live = Live()) Check.Fails(Status.UnsupportedModel, () => new Generator(live));
    }

    public static void LoadingAndPacking()
    {
        var lines = new List<string>();
        using (var guard = Guard.Embedded("nano-stream", new GuardOptions { Log = (level, line) => lines.Add(line) }))
        {
            Check.That(lines.Count == 1 && lines[0].Contains("nano-stream"), "one line");
            var info = guard.Info;
            Check.That(info.Kind == ModelKind.Stream && info.IsaAvailable.Contains(info.Isa), "what it is");
            var heads = guard.Logits(new[] { 1, 2, 3 });
            Check.That(heads.All(h => h.Rows == 3 && h.Values.Length == h.Rows * h.Cols), "three rows each");
            Check.Fails(Status.InvalidArgument, () => guard.Logits(new int[0]));
        }
        Check.Throws<InvalidOperationException>(() => Guard.Embedded("nano-gen",
            new GuardOptions { Log = (level, line) => { throw new InvalidOperationException("mine"); } }));
        string folder = Path.Combine(Path.GetTempPath(), "qwen3guard_" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(folder);
        try
        {
            string path = Path.Combine(folder, "model.q3g");
            int calls = 0;
            var options = new QuantizeOptions { Embedded = true, Progress = (done, total) => { ++calls; return true; } };
            Check.Same(Packing.Quantize("nano-gen", path, options).FileBytes, new FileInfo(path).Length);
            Check.That(calls > 0, "progress was told");
            Packing.Verify(path);
            Check.Fails(Status.Io, () => Packing.Quantize("nano-gen", path, options));
            options.Overwrite = true;
            options.Progress = (done, total) => false;
            Check.Fails(Status.Cancelled, () => Packing.Quantize("nano-gen", path, options));
            options.Progress = (done, total) => { throw new InvalidOperationException("mine"); };
            Check.Throws<InvalidOperationException>(() => Packing.Quantize("nano-gen", path, options));
            Check.Fails(Status.FileNotFound, () => Packing.Quantize("no/such", path, new QuantizeOptions { Overwrite = true }));
            var packed = File.ReadAllBytes(path);
            using (Guard loaded = Guard.Load(path), inMemory = Guard.FromMemory(packed))
            {
                Check.Same(loaded.ClassifyPrompt(Threat).Probabilities.Unsafe, inMemory.ClassifyPrompt(Threat).Probabilities.Unsafe);
            }
            Check.Fails(Status.BadCheckpoint, () => Guard.FromMemory(packed.Take(1000).ToArray()));
            Check.That(Packing.Measure("nano-stream", true, true).DecodeMs > 0, "it was measured");
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }
}
