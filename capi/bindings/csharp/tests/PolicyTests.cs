// SPDX-License-Identifier: Apache-2.0
// Policies: documents, what they rule, and how long they live.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Qwen3Guard;
using static Fixture;

public static class PolicyTests
{
    private static string Document(string parts)
    {
        return "{\"schema\": 1, \"name\": \"test\", \"version\": \"7\"" + (parts == "" ? "" : ", " + parts) + "}";
    }

    private static string AllOff(string role)
    {
        var rules = Enum.GetValues(typeof(Category)).Cast<Category>().Where(c => role == "prompt" || c != Category.Jailbreak)
            .Select(c => "\"" + Names.Of(c) + "\": \"off\"");
        return "\"" + role + "\": {\"categories\": {" + string.Join(", ", rules) + "}}";
    }

    private static Policy Off() => Policy.Parse(Document(AllOff("prompt") + ", " + AllOff("response")));

    public static void Documents()
    {
        Check.Same("strict loose chat-game assistant", string.Join(" ", Policy.Presets()));
        string path = Path.GetTempFileName();
        try
        {
            foreach (string name in Policy.Presets())
            {
                using (var preset = Policy.Preset(name))
                {
                    string json = preset.ToJson();
                    Check.That(json.Contains("\"name\": \"" + name + "\""), json);
                    File.WriteAllText(path, json);
                    Check.Same(json, Policy.Load(path).ToJson());
                    Check.Same(json, Policy.Parse(json).ToJson());
                    Check.That(preset.Describe().Split('\n').Length > 1, "some lines");
                }
            }
        }
        finally
        {
            File.Delete(path);
        }
        Check.That(new Policy().ToJson().Contains("\"name\": \"default\""), "the default one");
        foreach (string bad in new[] { "", "{", "[]", "null", "{}", Document("\"mod\": 1"), Document("\"name\": \"again\""),
            Document("\"debounce\": {\"consecutive_tokens\": 0}"), Document("\"prompt\": {\"categories\": {\"Violence\": \"off\"}}"),
            Document("\"response\": {\"temperature\": 1e999}"), new string('[', 100000), Document("") + "x",
            "{\"schema\": 1, \"version\": \"1\", \"name\": \"" + new string('x', 3000000) + "\"}" })
        {
            Check.Fails(Status.InvalidArgument, () => Policy.Parse(bad));
        }
        var e = Check.Throws<Qwen3GuardException>(() => Policy.Parse("{\"schema\": 1, \"version\": \"1\",\n\"name\": \"a\",\n\"mood\": 1}"));
        Check.That(e.Message.Contains(":3:") && e.Message.Contains("mood"), e.Message);
        Check.Throws<Qwen3GuardException>(() => Policy.Parse(Document("").Replace("test", "\ud800")));
        e = Check.Throws<Qwen3GuardException>(() => Policy.Preset("lenient"));
        Check.That(e.Status == Status.InvalidArgument && e.Message.Contains("chat-game"), e.Message);
        Check.Fails(Status.FileNotFound, () => Policy.Load("no/such/file.json"));
    }

    private static string Of(Ruling ruling)
    {
        return string.Join(" ", Names.Of(ruling.Action), Names.Of(ruling.Rule), ruling.Category, BitConverter.ToInt32(
            BitConverter.GetBytes(ruling.Score), 0), ruling.Phrase, ruling.Position, ruling.ByteBegin, ruling.ByteEnd,
            ruling.IsSettled, ruling.PolicyName, ruling.PolicyVersion);
    }

    public static void Rulings()
    {
        var off = new ClassifyOptions { Policy = Off() };
        foreach (var model in new Func<Guard>[] { Gen, Live })
        {
            using (var guard = model())
            {
                Verdict good = guard.ClassifyPrompt(Prompt), bad = guard.ClassifyPrompt(Threat);
                Check.Same("Allow Safe User", string.Join(" ", good.Action, good.Ruling.Rule, good.Role));
                Check.Same(GuardAction.Block, bad.Action);
                Check.Same(Rule.Severity, bad.Ruling.Rule);
                Check.Same(bad.Categories[0].Key, bad.Ruling.Category.Value);
                Check.Same("default 1", bad.Ruling.PolicyName + " " + bad.Ruling.PolicyVersion);
                Check.That(bad.Window == null && !bad.IsOfFoldedCopy, "it fitted");
                var let = guard.ClassifyPrompt(Threat, off);
                Check.Same(bad.Severity, let.Severity);
                Check.Same("Allow CategoryOff test 7", string.Join(" ", let.Action, let.Ruling.Rule, let.Ruling.PolicyName,
                    let.Ruling.PolicyVersion));
                var batch = guard.ClassifyBatch(new[] { new[] { new Message(Role.User, Threat) } }, off);
                Check.Same(Of(let.Ruling), Of(batch[0].Verdict.Ruling));
                Check.Same(GuardAction.Allow, guard.ClassifyResponse("Hi.", Times(Threat, 2), off).Action);
            }
        }
        Check.Same("category_off", Names.Of(Rule.CategoryOff));
    }

    /// <summary>Phrases decide before the model does; the worse of a message and its folded copy counts, and the worst of a long
    /// message's windows.</summary>
    public static void ListsCopiesAndWindows()
    {
        const string phrases = "\"deny\": [\"blue moon\"], \"allow\": [\"blue moon bar\"]";
        string disguised = Threat.Replace('a', '\u0430').Replace('e', '\u0435').Replace('o', '\u043e').Replace('p', '\u0440');
        string text = "caf\u00e9: once in a Blue \u200bMOON", all = Times("The bread rises in the warm oven. ", 200) + Threat;
        using (var lists = Policy.Parse(Document("\"lists\": {" + phrases + "}")))
        using (var copies = Policy.Parse(Document("\"lists\": {\"folding\": {\"confusables\": true}, \"judge_folded_copy\": true}")))
        {
            foreach (string name in new[] { "gen", "stream" })
            {
                using (var guard = Guard.Load(Tiny(name)))
                using (var small = Guard.Load(Tiny(name), new GuardOptions { MaxContextTokens = 800 }))
                {
                    var found = guard.ClassifyPrompt(text, new ClassifyOptions { Policy = lists });
                    Check.Same("NotJudged Block DenyList 0", string.Join(" ", found.Severity, found.Action, found.Ruling.Rule,
                        found.Ruling.Phrase));
                    byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
                    Check.Same("Blue \u200bMOON", System.Text.Encoding.UTF8.GetString(bytes, (int)found.Ruling.ByteBegin,
                        (int)(found.Ruling.ByteEnd - found.Ruling.ByteBegin)));
                    found = guard.ClassifyPrompt("The Blue Moon Bar is open.", new ClassifyOptions { Policy = lists });
                    Check.Same(Rule.Safe, found.Ruling.Rule);

                    found = guard.ClassifyPrompt(disguised, new ClassifyOptions { Policy = copies });
                    var plain = guard.ClassifyPrompt(disguised).Severity;
                    var folded = guard.ClassifyPrompt(Threat).Severity;
                    Check.Same(plain > folded ? plain : folded, found.Severity);
                    if (folded != plain) Check.Same(folded > plain, found.IsOfFoldedCopy);

                    Check.Fails(Status.ContextFull, () => small.ClassifyPrompt(all));
                    found = small.ClassifyPrompt(all, new ClassifyOptions { LongText = LongText.Windows });
                    Check.That(found.Window.Value.Count > 2 && found.Severity != Severity.NotJudged, "windows");
                }
            }
        }
    }

    public static void DecidedAgain()
    {
        var policies = Policy.Presets().Select(Policy.Preset).Concat(new[] { new Policy(), Off() }).ToList();
        using (Guard guard = Gen(), live = Live())
        {
            foreach (string text in new[] { Prompt, Threat, "Hello" })
            {
                var each = policies.Select(p => guard.ClassifyPrompt(text, new ClassifyOptions { Policy = p })).ToList();
                foreach (var verdict in each)
                {
                    var stored = new Verdict
                    {
                        Severity = verdict.Severity, Role = verdict.Role, Probabilities = verdict.Probabilities,
                        Position = verdict.Position, Categories = verdict.Categories,
                    };
                    for (int i = 0; i < policies.Count; ++i)
                    {
                        Check.Same(Of(each[i].Ruling), Of(policies[i].DecideVerdict(verdict, text)));
                        Check.Same(Of(each[i].Ruling), Of(policies[i].DecideVerdict(stored, text)));
                    }
                }
            }
            var found = live.ClassifyPrompt(Threat);
            Check.Fails(Status.InvalidArgument, () => policies[0].DecideVerdict(found));
        }
        Check.Fails(Status.InvalidArgument, () => policies[0].DecideVerdict(new Verdict { Severity = (Severity)9 }));
        Check.Fails(Status.InvalidArgument, () => policies[0].DecideVerdict(new Verdict { Role = (Role)9 }));
        var many = new Verdict { Severity = Severity.Unsafe, Categories = new KeyValuePair<Category, float>[12] };
        Check.Fails(Status.InvalidArgument, () => policies[0].DecideVerdict(many));
    }

    public static void RunsOfTokens()
    {
        // The script wants one severity in a row, the report none that is Safe.
        var mixed = Enumerable.Range(0, 100).Select(i => new TokenVerdict
        {
            Severity = i % 2 == 0 ? Severity.Unsafe : Severity.Controversial, Source = Source.Heads, Counts = true,
            Category = i % 2 == 0 ? Category.Violent : Category.Pii, CategoryProbabilities = new float[9],
            Probabilities = new Probabilities { Safe = 0.01f, Controversial = 0.5f, Unsafe = 0.49f },
        }).ToArray();
        Check.Same(Severity.Safe, new Policy().Decide(Role.Assistant, mixed, true).Severity);
        var report = Policy.Parse(Document("\"debounce\": {\"rule\": \"report\"}"));
        var decision = report.Decide(Role.Assistant, mixed, true);
        Check.Same(Severity.Unsafe, decision.Severity);
        Check.Same(Reason.MixedRun, decision.Reason);
        Check.Same(Category.Pii, decision.Token.Category);
        Check.Same("Block Block", decision.Action + " " + decision.Ruling.Action);
        Check.Same("Block", mixed[1].Action + "");
        Check.That(mixed[0].Action != GuardAction.Block, "the run begins here");
        Check.That(decision.Explain().Contains("2 in a row, each Unsafe or Controversial"), decision.Explain());
        Check.Fails(Status.InvalidArgument, () => report.Decide((Role)9, mixed, true));
    }

    public static void Streams()
    {
        var one = Policy.Parse(Document("\"debounce\": {\"consecutive_tokens\": 1}"));
        using (var guard = Live())
        {
            using (var stream = new GuardStream(guard, new StreamOptions { Policy = one }))
            {
                stream.PushPrompt("Hello!");
                Check.Same(Rule.Safe, stream.PromptDecision.Ruling.Rule);
                var before = stream.Decision;
                var updates = stream.Judge(Times(Threat, 2).Split(' ').Select(word => word + " ")).ToList();
                Check.That(updates.Count > 10, "an update for each piece");
                var decision = stream.Decision;
                Check.That(decision.Explain().StartsWith("Unsafe"), decision.Explain());
                Check.Same("Block Severity test", string.Join(" ", decision.Ruling.Action, decision.Ruling.Rule,
                    decision.Ruling.PolicyName));
                var tokens = stream.Verdicts();
                Check.Same(decision.Position, one.Decide(Role.Assistant, tokens, false).Position);
                Check.Same(GuardAction.Block, tokens.Last().Action);
                var fell = tokens.First(t => t.Position == decision.Position);
                Check.Same(fell.Id, decision.Token.Id);
                Check.Same(fell.Severity, decision.Token.Severity);
                Check.Same(fell.ByteEnd, decision.Token.ByteEnd);
                Check.Same(fell.IsSettled, decision.Token.IsSettled);
                Check.Same(fell.IsSettled, decision.IsSettled);
                Check.Same(fell.CategoryProbabilities[3], decision.Token.CategoryProbabilities[3]);
                Check.That(before.Token == null && before.Position == null, "no token decided");
                Check.Same(Severity.Unsafe, Off().Decide(Role.Assistant, tokens, true).Severity);
                Check.Same(GuardAction.Allow, Off().Decide(Role.Assistant, tokens, true).Action);
            }
            var stops = Policy.Parse(Document("\"context\": \"stop\", \"dropped_messages\": \"reject\""));
            var options = new StreamOptions { Policy = stops, MaxTokens = 40 };
            using (var stream = new GuardStream(guard, options))
            {
                stream.PushPrompt("Hi.");
                Check.That(stream.PushText(Times(Story, 4)).StoppedAtByte != null, "the policy says stop");
            }
            options.Context = ContextPolicy.Error;
            using (var stream = new GuardStream(guard, options))
            {
                stream.PushPrompt("Hi.");
                Check.Fails(Status.ContextFull, () => stream.PushText(Times(Story, 4)));
            }
            using (var gen = Gen())
            {
                var messages = new[] { new Message(Role.Assistant, "Hello!"), new Message(Role.User, "Hi") };
                var how = new ClassifyOptions { Policy = stops };
                Check.Fails(Status.InvalidArgument, () => gen.Classify(messages, how));
                how.RejectDropped = false;
                Check.Same(1, gen.Classify(messages, how).DroppedMessageCount);
                how.LongText = (LongText)7;
                Check.Fails(Status.InvalidArgument, () => gen.Classify(messages, how));
            }
        }
    }

    public static void Lives()
    {
        using (Guard guard = Live(), gen = Gen())
        using (var batch = new GuardBatch(guard))
        {
            var off = Off();
            var stream = new GuardStream(guard, new StreamOptions { Policy = off });
            ulong session = batch.Add(new StreamOptions { Policy = off });
            off.Dispose();
            off.Dispose();
            stream.PushPrompt(Threat);
            Check.Same(Rule.CategoryOff, stream.PromptDecision.Ruling.Rule);
            batch.PushPrompt(session, Threat);
            batch.Step();
            Check.Same(Rule.CategoryOff, batch.Poll(session).Last().Decision.Ruling.Rule);

            // One that is disposed of is not the NULL that stands for the default policy.
            var how = new ClassifyOptions { Policy = off };
            foreach (var use in new Action[] { () => off.ToJson(), () => off.Describe(), () => { var a = off.UnjudgedAction; },
                () => off.Decide(Role.User, new TokenVerdict[0], true), () => off.DecideVerdict(new Verdict()),
                () => new GuardStream(guard, new StreamOptions { Policy = off }), () => guard.ClassifyPrompt("x", how),
                () => guard.ClassifyBatch(new[] { new[] { new Message(Role.User, "x") } }, how),
                () => batch.Add(new StreamOptions { Policy = off }) })
            {
                Check.Throws<ObjectDisposedException>(use);
            }

            for (int round = 0; round < 5; ++round)
            {
                var shared = Off();
                var options = new ClassifyOptions { Policy = shared };
                int wrong = 0;
                var threads = Enumerable.Range(0, 3).Select(i => new Thread(() =>
                {
                    try
                    {
                        if (gen.ClassifyPrompt(Threat, options).Ruling.PolicyName != "test") Interlocked.Increment(ref wrong);
                    }
                    catch (ObjectDisposedException)
                    {
                    }
                })).ToList();
                threads.ForEach(t => t.Start());
                shared.Dispose();
                threads.ForEach(t => t.Join());
                Check.Same(0, wrong);
            }
        }
        for (int i = 0; i < 50; ++i) Off(); // nobody disposes of them
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
