// SPDX-License-Identifier: Apache-2.0
// What a host must not be able to break: wrong arguments, objects that are gone, several threads, memory.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard;
using static Fixture;

public static class SafetyTests
{
    public static void NullArguments()
    {
        using (Guard gen = Gen(), live = Live())
        using (var stream = new GuardStream(live))
        using (var batch = new GuardBatch(live))
        using (var tokenizer = live.GetTokenizer())
        using (var writer = new Generator(gen))
        {
            ulong session = batch.Add();
            var ids = new[] { 1 };
            var policy = new Policy();
            var calls = new Action[]
            {
                () => Guard.Load(null), () => Guard.Embedded(null), () => Guard.FromMemory((byte[])null),
                () => Guard.FromMemory((IReadOnlyDictionary<string, byte[]>)null),
                () => Guard.FromMemory(new Dictionary<string, byte[]> { { "config.json", null } }),
                () => Guard.Embedded("nano-gen", new GuardOptions { Isa = null }), () => gen.ClassifyPrompt((string)null),
                () => gen.ClassifyPrompt((byte[])null), () => gen.ClassifyResponse(null, ""),
                () => gen.ClassifyResponse("", null),
                () => gen.Classify(null), () => gen.ClassifyBatch(null), () => gen.ClassifyBatch(new Message[][] { null }),
                () => gen.Logits(null), () => new Message(Role.User, (string)null), () => new Message(Role.User, (byte[])null),
                () => Tokenizer.Load(null), () => tokenizer.Encode((string)null), () => tokenizer.Encode((byte[])null),
                () => tokenizer.Decode(null), () => tokenizer.FindBytes(null), () => tokenizer.FindAdded(null),
                () => new GuardStream(null), () => stream.PushPrompt(null), () => stream.PushConversation(null),
                () => stream.Restore(null), () => stream.PushText((string)null), () => stream.PushText((byte[])null),
                () => stream.PushTokens(null), () => GuardStream.PushBatch(null, new StreamPush[0]),
                () => GuardStream.PushBatch(live, null), () => GuardStream.PushBatch(live, new StreamPush[] { null }),
                () => GuardStream.PushBatch(live, new[] { new StreamPush { Ids = ids } }),
                () => GuardStream.PushBatch(live, new[] { new StreamPush { Stream = stream } }), () => new GuardBatch(null),
                () => batch.AddStream(null), () => batch.PushPrompt(session, null), () => batch.PushText(session, (string)null),
                () => batch.PushText(session, (byte[])null), () => batch.PushTokens(session, null),
                () => batch.Visit(session, null),
                () => new Generator(null), () => writer.SetConversation(null), () => writer.SetTokens(null),
                () => policy.Decide(Role.User, null, true), () => policy.Decide(Role.User, new TokenVerdict[] { null }, true),
                () => policy.DecideVerdict(null), () => policy.DecideVerdict(new Verdict(), null), () => Policy.Parse(null),
                () => policy.DecideVerdict(new Verdict { Categories = null }), () => Policy.Load(null),
                () => Policy.Preset(null), () => Names.ParseSeverity(null), () => Names.ParseCategory(null),
                () => Packing.Quantize(null, ""), () => Packing.Quantize("", null), () => Packing.Verify(null),
                () => new TextQueue().Add(null),
            };
            for (int i = 0; i < calls.Length; ++i)
            {
                try
                {
                    Check.Throws<ArgumentNullException>(calls[i]);
                }
                catch (Exception e)
                {
                    throw new Exception("call " + i, e);
                }
            }
            stream.PushPrompt(Prompt); // and nothing has changed
            stream.PushTokens(new int[0]);
            GuardStream.PushBatch(live, new StreamPush[0]);
        }
    }

    public static void AfterDispose()
    {
        using (Guard gen = Gen(), live = Live())
        {
            var guard = Live();
            var tokenizer = guard.GetTokenizer();
            var decoder = tokenizer.NewDecoder();
            var stream = new GuardStream(guard);
            var batch = new GuardBatch(guard);
            ulong session = batch.Add();
            var writer = new Generator(gen);
            guard.Dispose(); // before what was made from it
            stream.PushPrompt(Prompt);
            Check.Same("a", decoder.Push(tokenizer.Encode("a")[0]));
            var all = new IDisposable[] { guard, tokenizer, decoder, stream, batch, writer };
            for (int i = 0; i < 2; ++i)
            {
                foreach (var one in all) one.Dispose();
            }
            foreach (var call in new Action[]
            {
                () => guard.ClassifyPrompt(Prompt), () => guard.Logits(new[] { 1 }), () => guard.GetTokenizer(),
                () => new GuardStream(guard), () => new GuardBatch(guard), () => new Generator(guard),
                () => GuardStream.PushBatch(guard, new StreamPush[0]), () => tokenizer.Encode("a"), () => tokenizer.TokenBytes(1),
                () => tokenizer.Decode(new[] { 1 }), () => tokenizer.NewDecoder(), () => decoder.Push(1), () => decoder.Finish(),
                () => stream.PushText("a"), () => stream.EndTurn(), () => stream.Fork(), () => stream.Verdicts(),
                () => stream.Reset(), () => Check.Same(null, stream.Decision), () => batch.Add(), () => batch.Step(),
                () => batch.Poll(session), () => batch.AddStream(new GuardStream(live)), () => writer.SetTokens(new[] { 1 }),
                () => Check.Same(0, writer.Position),
                () => GuardStream.PushBatch(live, new[] { new StreamPush { Stream = stream, Ids = new[] { 1 } } }),
            })
            {
                Check.Throws<ObjectDisposedException>(call);
            }
        }
    }

    public static void DisposeDuringACall()
    {
        for (int round = 0; round < 4; ++round)
        {
            var guard = Gen();
            var live = Live();
            var stream = new GuardStream(live);
            stream.PushPrompt(Prompt);
            var stop = new CancellationTokenSource();
            var started = new CountdownEvent(2);
            var classifying = Task.Run(() =>
            {
                started.Signal();
                for (;;) guard.ClassifyPrompt(Times(Story, 20), null, stop.Token);
            });
            var pushing = Task.Run(() =>
            {
                started.Signal();
                for (;;) stream.RewindToByte(stream.PushText(Times(Story, 4), stop.Token).First);
            });
            started.Wait();
            Thread.Sleep(5 * round);
            guard.Dispose();
            stream.Dispose();
            stop.Cancel(); // a flag that is gone must not come back as an exception here
            foreach (var task in new[] { classifying, pushing })
            {
                var e = Check.Throws<Exception>(() => task.GetAwaiter().GetResult());
                Check.That(e is ObjectDisposedException || e is OperationCanceledException, e.ToString());
            }
            live.Dispose();
        }
    }

    public static void OneCallAtATime()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            using (stream.Handle.Enter()) // as another thread's call would
            {
                foreach (var call in new Action[]
                {
                    () => stream.PushText("a"), () => stream.EndTurn(), () => stream.Fork(), () => stream.GetMark(),
                    () => stream.Verdicts(), () => stream.Reset(), () => Check.Same(null, stream.Decision),
                    () => Check.Same(0, stream.Info.Position),
                    () => GuardStream.PushBatch(guard, new[] { new StreamPush { Stream = stream, Ids = new[] { 1 } } }),
                })
                {
                    Check.Throws<InvalidOperationException>(call);
                }
            }
            var one = new StreamPush { Stream = stream, Ids = new[] { 1 } };
            Check.Throws<InvalidOperationException>(() => GuardStream.PushBatch(guard, new[] { one, one }));
            GuardStream.PushBatch(guard, new[] { one });
            Check.Same(1, one.Tokens.Length);
            using (var other = Live()) GuardStream.PushBatch(other, new[] { one });
            Check.That(one.Tokens == null && one.Error.Status == Status.InvalidArgument, "it is another guard's");
        }
    }

    public static void ThreadsOnOneStream()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            int refused = 0;
            Parallel.For(0, 200, i =>
            {
                try
                {
                    if (i % 2 == 0) stream.PushText("A fox. ");
                    else stream.Verdicts();
                }
                catch (InvalidOperationException)
                {
                    Interlocked.Increment(ref refused);
                }
            });
            Console.WriteLine(refused + " of 200 calls were refused");
            stream.PushText("Still whole.");
        }
    }

    public static void VisitedStreams()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard))
        {
            ulong session = batch.Add();
            batch.PushPrompt(session, Prompt);
            batch.Step();
            GuardStream kept = null;
            batch.Visit(session, stream => kept = stream);
            Check.Throws<ObjectDisposedException>(() => kept.Verdicts());
            batch.Visit(session, stream => stream.Dispose());
            batch.Visit(session, stream => Check.Fails(Status.InvalidArgument, () => batch.AddStream(stream)));
            using (var other = Live())
            using (var foreign = new GuardStream(other))
            {
                Check.Fails(Status.InvalidArgument, () => batch.AddStream(foreign));
                foreign.PushPrompt(Prompt); // it is still open
            }
            batch.Visit(session, stream => stream.PushText("a fox", new CancellationTokenSource().Token));
            using (var fork = Forked(batch, session)) Check.That(fork.PushText(".").Tokens.Count > 0, "a fork lives on");
            batch.PushText(session, " More.");
            Check.That(batch.Step() > 0, "the session is whole");
            batch.Visit(session, stream =>
            {
                batch.Dispose();
                stream.PushText(" And more.");
            });
            Check.Throws<ObjectDisposedException>(() => batch.Step());
        }
    }

    private static GuardStream Forked(GuardBatch batch, ulong session)
    {
        GuardStream fork = null;
        batch.Visit(session, stream => fork = stream.Fork());
        return fork;
    }

    public static void Forgotten()
    {
        for (int i = 0; i < 30; ++i) Forget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using (var guard = Gen()) guard.ClassifyPrompt(Prompt);
    }

    private static void Forget()
    {
        Guard live = Live(), gen = Gen();
        var stream = new GuardStream(live);
        stream.PushPrompt(Prompt);
        stream.Fork();
        new GuardBatch(live).AddStream(stream);
        new GuardBatch(live).Start();
        live.GetTokenizer().NewDecoder();
        new Generator(gen);
    }

    public static void Values()
    {
        var policy = new Policy();
        var token = new TokenVerdict
        {
            Severity = Severity.Unsafe, Probabilities = new Probabilities { Unsafe = 1 }, Source = Source.Heads, Counts = true,
            CategoryProbabilities = new float[9],
        };
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NegativeSign = "~";
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = culture;
        try
        {
            token.CategoryProbabilities = new float[100];
            var e = Check.Throws<Qwen3GuardException>(() => policy.Decide(Role.Assistant, new[] { token }, true));
            Check.That(e.Status == Status.InvalidArgument && e.Message.Contains("has 100 elements;"), e.Message);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
        foreach (var wrong in new[] { null, new float[0], new float[100] })
        {
            token.CategoryProbabilities = wrong;
            Check.Fails(Status.InvalidArgument, () => policy.Decide(Role.Assistant, new[] { token }, true));
        }
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            stream.Rewind(default(Mark));
            Check.Same(0, stream.Info.Position);
            stream.PushPrompt(Prompt);
            Check.Fails(Status.InvalidArgument, () => stream.RewindToByte(-1));
            Check.Fails(Status.InvalidArgument, () => stream.Verdicts(int.MaxValue));
            Check.Same(0, stream.Verdicts(-5).Length);
            Check.Fails(Status.InvalidArgument, () => stream.BeginTurn((Role)77));
        }
        Check.Same(0, default(Message).Utf8.Length);
        using (var guard = Gen()) Check.Fails(Status.InvalidArgument, () => guard.Classify(new[] { default(Message) }));
    }

    public static void Texts()
    {
        using (Guard gen = Gen(), live = Live())
        using (var tokenizer = live.GetTokenizer())
        {
            Check.Same("a\0b", tokenizer.Decode(tokenizer.Encode("a\0b")));
            gen.ClassifyPrompt("a\0b");
            foreach (int n in new[] { 30, 3000 }) // NFC makes it longer, so that there are more tokens than bytes
            {
                var ids = tokenizer.Encode(Times("\U0001D160", n));
                Check.That(ids.Length > 4 * n, "more tokens than bytes");
                Check.Same(Times("\U0001D158\U0001D165\U0001D16E", n), tokenizer.Decode(ids));
            }
            var e = Check.Throws<Qwen3GuardException>(() => gen.ClassifyPrompt("caf\ud83d"));
            Check.Same(Status.InvalidUtf8, e.Status);
            Check.That(e.Message.Contains("byte 3"), e.Message);
            Check.Fails(Status.InvalidArgument, () => Guard.Embedded("nano-gen", new GuardOptions { Isa = "avx2\0 or so" }));
            var files = new Dictionary<string, byte[]> { { "a\0b", new byte[1] } };
            Check.Fails(Status.InvalidArgument, () => Guard.FromMemory(files));
            Check.Fails(Status.FileNotFound, () => Guard.Embedded("nano-gen\0"));
            var path = Check.Throws<Qwen3GuardException>(() => Guard.Load("no\0such"));
            Check.That(path.Status == Status.FileNotFound || path.Status == Status.InvalidArgument, path.ToString());
        }
    }

    public static void VerdictsOfAnyLength()
    {
        using (var guard = Gen())
        {
            foreach (bool greedy in new[] { false, true })
            {
                ClassifyOptions usual = new ClassifyOptions { Greedy = greedy }, small = new ClassifyOptions { Greedy = greedy };
                small.TextBytes = 4;
                string expected = guard.ClassifyPrompt(Threat, usual).Text;
                Check.That(expected.Length > 20, expected);
                Check.Same(expected, guard.ClassifyPrompt(Threat, small).Text);
                var conversation = new[] { new Message(Role.User, Threat) };
                Check.Same(expected, guard.Classify(conversation, small).Text);
                foreach (var found in guard.ClassifyBatch(new[] { conversation, conversation }, small))
                    Check.Same(expected, found.Verdict.Text);
            }
        }
    }

    public static void CancellingABatch()
    {
        using (var guard = Gen())
        using (var stop = new CancellationTokenSource())
        {
            var conversation = new[] { new Message(Role.User, Prompt) };
            var options = new ClassifyOptions { Progress = (done, total) => { stop.Cancel(); return true; } };
            Check.Throws<OperationCanceledException>(() =>
                guard.ClassifyBatch(Enumerable.Repeat(conversation, 64).ToArray(), options, stop.Token));
        }
    }

    /// <summary>Messages that break off behind the first one.</summary>
    private sealed class BrokenList : IReadOnlyList<Message>
    {
        private readonly Message first;

        public BrokenList(List<WeakReference> seen)
        {
            var text = new byte[1000];
            seen.Add(new WeakReference(text));
            first = new Message(Role.User, text);
        }

        public int Count => 2;
        public Message this[int index] => index == 0 ? first : throw new TimeoutException("mine");
        public IEnumerator<Message> GetEnumerator() => throw new NotSupportedException();
        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => throw new NotSupportedException();
    }

    public static void BrokenMessagesAreNotKept()
    {
        var seen = new List<WeakReference>();
        using (var guard = Gen())
        {
            for (int i = 0; i < 50; ++i)
                Check.Throws<TimeoutException>(() => guard.Classify(new BrokenList(seen)));
        }
        GC.Collect();
        int kept = seen.Count(text => text.IsAlive);
        Check.That(kept < 25, kept + " of 50 texts are still pinned"); // a stack may name some of them
    }

    private static long ResidentMb()
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmRSS:"));
        return long.Parse(line.Split(' ', '\t').Last(word => word.All(char.IsDigit) && word != "")) / 1024;
    }

    /// <summary>Runs a load that fails 40 times; fails when memory grew by more than an eighth of what was copied.</summary>
    private static void KeepsNothing(byte[] bytes, Action load)
    {
        if (!File.Exists("/proc/self/status")) return;
        load();
        long before = ResidentMb(), copied = 40L * bytes.Length >> 20;
        for (int i = 0; i < 40; ++i) load();
        long more = ResidentMb() - before;
        Check.That(more < copied / 8, copied + " MB were copied; " + more + " MB of them are still there");
    }

    public static void FailedLoadsKeepNothing()
    {
        Check.Fails(Status.InvalidArgument, () => Guard.FromMemory(new Dictionary<string, byte[]>()));
        var bytes = Enumerable.Repeat((byte)1, 8 << 20).ToArray();
        KeepsNothing(bytes, () => Check.Fails(Status.BadCheckpoint, () => Guard.FromMemory(bytes)));
        var unknown = new GuardOptions { Isa = null };
        KeepsNothing(bytes, () => Check.Throws<ArgumentNullException>(() => Guard.FromMemory(bytes, unknown)));
        string path = Path.GetTempFileName();
        try
        {
            Packing.Quantize("nano-gen", path, new QuantizeOptions { Embedded = true, Overwrite = true });
            bytes = File.ReadAllBytes(path);
        }
        finally
        {
            File.Delete(path);
        }
        var broken = new GuardOptions { Log = (level, line) => { throw new TimeoutException("mine"); } };
        KeepsNothing(bytes, () => Check.Throws<TimeoutException>(() => Guard.FromMemory(bytes, broken)));
    }
}
