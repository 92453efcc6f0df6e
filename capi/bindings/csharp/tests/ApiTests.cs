// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard;
using static Fixture;

public static class ApiTests
{
    public static void NamesAndVersions()
    {
        Check.Same(1, Guard.AbiVersion);
        Check.Same(3, Guard.Version.Split('.').Length);
        Check.Same("nano-gen nano-stream", string.Join(" ", Guard.EmbeddedModels()));
        Check.Same("Unsafe", Names.Of(Severity.Unsafe));
        Check.Same("not judged", Names.Of(Severity.NotJudged));
        Check.Same("none", Names.Of(GuardAction.None));
        Check.Fails(Status.InvalidArgument, () => Names.ParseSeverity("not judged")); // no text says so of itself
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
            Check.Same(null, bad.Position);
            using (var live = Live())
            {
                var found = live.ClassifyPrompt(Prompt);
                Check.That(found.Position >= 0 && found.Position < found.PromptTokens, "a token of the prompt");
            }

            var invalid = new byte[] { 99, 97, 102, 0xE9 };
            Check.Fails(Status.InvalidUtf8, () => guard.ClassifyPrompt(invalid));
            Check.Fails(Status.InvalidUtf8, () => guard.ClassifyPrompt("\ud800"));
            guard.ClassifyPrompt(invalid, new ClassifyOptions { InvalidUtf8 = InvalidUtf8.Replace });
            var strange = new ClassifyOptions { Thinking = (Thinking)3 };
            Check.Fails(Status.InvalidArgument, () => guard.ClassifyPrompt(Prompt, strange));
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
        Check.Same("0 0.2 0.5 0.3 0", string.Join(" ", new[] { Severity.NotJudged, Severity.Safe, Severity.Controversial,
            Severity.Unsafe, (Severity)7 }.Select(s => p[s].ToString(CultureInfo.InvariantCulture))));
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
            // Some tenths of a second: stopped within the call.
            Check.Throws<OperationCanceledException>(() =>
                guard.Logits(new int[4000], true, new CancellationTokenSource(5).Token));
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
            Check.That(info.ChatTemplate == ChatTemplate.Absent && info.ChatTemplateFingerprint == "", "no template");
            var careful = new GuardOptions { RefuseUnknownTemplate = true, KnownTemplate = "0123456789abcdef" };
            Guard.Embedded("nano-stream", careful).Dispose(); // none is not an unknown one
            Check.Fails(Status.InvalidArgument, () => Guard.Embedded("nano-stream", new GuardOptions { KnownTemplate = "none" }));
            var heads = guard.Logits(new[] { 1, 2, 3 });
            Check.That(heads.All(h => h.Rows == 3 && h.Values.Length == h.Rows * h.Cols), "three rows each");
            Check.Fails(Status.InvalidArgument, () => guard.Logits(new int[0]));
            using (var source = new CancellationTokenSource())
            {
                Check.Same(heads.Count, guard.Logits(new[] { 1, 2, 3 }, true, source.Token).Count);
                source.Cancel();
                Check.Throws<OperationCanceledException>(() => guard.Logits(new[] { 1, 2, 3 }, true, source.Token));
            }
        }
        Check.Throws<InvalidOperationException>(() => Guard.Embedded("nano-gen",
            new GuardOptions { Log = (level, line) => { throw new InvalidOperationException("mine"); } }));
        string folder = Path.Combine(Path.GetTempPath(), "qwen3guard_" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(folder);
        try
        {
            string path = Path.Combine(folder, "model.q3g");
            int calls = 0;
            var options = new QuantizeOptions { Progress = (done, total) => { ++calls; return true; } };
            Check.Same(Packing.Quantize(Tiny("gen"), path, options).FileBytes, new FileInfo(path).Length);
            Check.That(calls > 0, "progress was told");
            Packing.Verify(path);
            using (var source = new CancellationTokenSource())
            {
                Packing.Verify(path, source.Token);
                source.Cancel();
                Check.Throws<OperationCanceledException>(() => Packing.Verify(path, source.Token));
            }
            Check.Fails(Status.Io, () => Packing.Quantize(Tiny("gen"), path, options));
            options.Overwrite = true;
            long small = new FileInfo(path).Length;
            options.Embeddings = PackedEmbeddings.Plain;
            Check.That(Packing.Quantize(Tiny("gen"), path, options).FileBytes > small, "plain rows are larger");
            options.Embeddings = PackedEmbeddings.Automatic;
            options.Progress = (done, total) => false;
            Check.Fails(Status.Cancelled, () => Packing.Quantize(Tiny("gen"), path, options));
            options.Progress = (done, total) => { throw new InvalidOperationException("mine"); };
            Check.Throws<InvalidOperationException>(() => Packing.Quantize(Tiny("gen"), path, options));
            Check.Fails(Status.FileNotFound, () => Packing.Quantize("no/such", path, new QuantizeOptions { Overwrite = true }));
            var packed = File.ReadAllBytes(path);
            using (Guard loaded = Guard.Load(path), inMemory = Guard.FromMemory(packed))
            {
                Check.Same(loaded.ClassifyPrompt(Threat).Probabilities.Unsafe,
                    inMemory.ClassifyPrompt(Threat).Probabilities.Unsafe);
            }
            Check.Fails(Status.BadCheckpoint, () => Guard.FromMemory(packed.Take(1000).ToArray()));
            // A byte of a matrix: compared by default here, and of a file when that is asked for.
            var damaged = (byte[])packed.Clone();
            damaged[damaged.Length - 1000] ^= 1;
            Check.Fails(Status.BadCheckpoint, () => Guard.FromMemory(damaged));
            Guard.FromMemory(damaged, new GuardOptions { Verify = Verify.Off }).Dispose();
            var other = path + ".damaged";
            File.WriteAllBytes(other, damaged);
            Guard.Load(other).Dispose();
            Check.Fails(Status.BadCheckpoint, () => Guard.Load(other, new GuardOptions { Verify = Verify.Full }));
            File.Delete(other);
            var stop = new CancellationTokenSource();
            options.Progress = (done, total) => { stop.Cancel(); return true; };
            Check.Throws<OperationCanceledException>(() => Packing.Quantize(Tiny("gen"), path, options, stop.Token));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }
}
