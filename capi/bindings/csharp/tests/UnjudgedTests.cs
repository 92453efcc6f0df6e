// SPDX-License-Identifier: Apache-2.0
// Nothing that was not judged reads as Safe or allow: what is default-constructed, failed, was cancelled, timed out or was
// skipped.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using Qwen3Guard;
using static Fixture;

public static class UnjudgedTests
{
    private static readonly byte[] Bad = { 0xFF };
    private static readonly string Long = Times("The fox ran over the hill. ", 2000); // more work than a test waits for
    private static readonly string[] Promises = { "IsComplete", "IsSettled" };

    private static Message[] Conversation(string text) => new[] { new Message(Role.User, text) };

    /// <summary>Looks at every severity, action and the like in a result; how many there were.</summary>
    private static int LookAt(object value, string where)
    {
        int n = 0;
        var members = new List<KeyValuePair<string, object>>();
        foreach (var field in value.GetType().GetFields(BindingFlags.Public | BindingFlags.Instance))
            members.Add(new KeyValuePair<string, object>(field.Name, field.GetValue(value)));
        foreach (var property in value.GetType().GetProperties().Where(p => p.GetIndexParameters().Length == 0))
            members.Add(new KeyValuePair<string, object>(property.Name, property.GetValue(value, null)));
        foreach (var member in members)
        {
            string at = where + "." + member.Key;
            object unjudged = member.Value is Severity ? Severity.NotJudged : member.Value is GuardAction ? GuardAction.None
                : member.Value is Source ? Source.None : member.Value is Rule ? Rule.None : member.Value is Probabilities ? new Probabilities()
                : Promises.Contains(member.Key) ? (object)false : null;
            if (unjudged != null)
            {
                Check.That(Equals(unjudged, member.Value), at + " is " + member.Value);
                ++n;
            }
            else if (member.Value is Decision || member.Value is Verdict || member.Value is TokenVerdict || member.Value is Ruling)
            {
                n += LookAt(member.Value, at);
            }
        }
        return n;
    }

    public static void Defaults()
    {
        Check.Same(Severity.NotJudged, default(Severity));
        Check.Same(GuardAction.None, default(GuardAction));
        Check.Same(Source.None, default(Source));
        var seen = new Dictionary<string, int>();
        foreach (var type in typeof(Verdict).Assembly.GetTypes().Where(t => t.IsPublic && t.Namespace == "Qwen3Guard"))
        {
            if (type.IsEnum || !(type.IsValueType || type.GetConstructor(Type.EmptyTypes) != null)) continue;
            seen[type.Name] = LookAt(Activator.CreateInstance(type), type.Name);
        }
        foreach (var name in new[] { "Ruling", "Verdict", "TokenVerdict", "Decision", "Turn", "BatchEvent", "BatchVerdict" })
            Check.That(seen[name] >= 2, name + " has " + seen[name]);
        var nothing = new Decision();
        Check.Same(null, nothing.Position);
        Check.Same("not judged; there was nothing to judge", nothing.Explain());
        var sure = new Probabilities { Safe = 1 };
        Check.Same(0f, sure[default(Severity)]);
        Policy usual = new Policy(), strict = Policy.Preset("strict");
        LookAt(usual.DecideVerdict(new Verdict { Probabilities = sure }), "ruling");
        var held = strict.DecideVerdict(new Verdict { Probabilities = sure });
        Check.Same(GuardAction.Block, held.Action);
        Check.Same(Rule.NotJudged, held.Rule);
        Check.Same(GuardAction.None, usual.UnjudgedAction);
        Check.Same(GuardAction.Block, strict.UnjudgedAction);
        var lied = new TokenVerdict { Severity = Severity.Safe, Counts = false };
        foreach (var tokens in new[] { new TokenVerdict[0], new[] { new TokenVerdict(), new TokenVerdict() }, new[] { lied } })
        {
            foreach (bool hasEnded in new[] { false, true })
            {
                LookAt(usual.Decide(Role.Assistant, tokens, hasEnded), "decision");
                var strictly = strict.Decide(Role.Assistant, tokens, hasEnded);
                Check.That(strictly.Action != GuardAction.Allow && strictly.Ruling.Action != GuardAction.Allow, "not allowed");
            }
        }
    }

    /// <summary>Which items are errors (Ok: judged); these have nothing that reads as a verdict.</summary>
    private static void AreErrors(IEnumerable<BatchVerdict> items, params Status[] statuses)
    {
        Check.Same(string.Join(" ", statuses), string.Join(" ", items.Select(item => item.Error?.Status ?? Status.Ok)));
        foreach (var item in items)
        {
            Check.That(item.Verdict == null ^ item.Error == null, "a verdict or an error");
            if (item.Error != null) LookAt(item, "item");
            else Check.That(item.Severity == item.Verdict.Severity && item.Action == item.Verdict.Action, "the verdict's");
        }
    }

    public static void BatchesOfConversations()
    {
        Message[] good = Conversation(Prompt), bad = { new Message(Role.User, Bad) };
        using (var guard = Gen())
        {
            AreErrors(guard.ClassifyBatch(new[] { good, bad, Conversation(Long), new Message[0], good }), Status.Ok,
                Status.InvalidUtf8, Status.ContextFull, Status.InvalidArgument, Status.Ok);
            var stop = new ClassifyOptions { Progress = (done, total) => false };
            AreErrors(guard.ClassifyBatch(new[] { good, bad, good, good }, stop), Status.Ok, Status.InvalidUtf8,
                Status.Cancelled, Status.Cancelled);
        }
    }

    private static void IsUnjudged(GuardStream stream, long bytes = 0)
    {
        var decision = stream.Decision;
        LookAt(decision, "decision");
        Check.Same(0L, decision.UnjudgedBegin);
        Check.Same(bytes, decision.UnjudgedEnd);
        Check.That(decision.Explain().StartsWith("not judged; "), decision.Explain());
    }

    public static void CallsThatFailGiveNoVerdict()
    {
        foreach (var load in new Func<Guard>[] { Gen, Live })
        {
            using (var guard = load())
            using (var stream = new GuardStream(guard, new StreamOptions { Context = ContextPolicy.Slide }))
            {
                var gone = new CancellationToken(true);
                Check.Throws<OperationCanceledException>(() => guard.ClassifyPrompt(Prompt, null, gone));
                Check.Throws<OperationCanceledException>(() =>
                    guard.ClassifyPrompt(Long.Substring(0, 20000), null, new CancellationTokenSource(5).Token));
                Check.Throws<OperationCanceledException>(() => guard.ClassifyBatch(Enumerable.Repeat(
                    Conversation(Long.Substring(0, 20000)), 9).ToArray(), null, new CancellationTokenSource(5).Token));
                IsUnjudged(stream);
                Check.Throws<OperationCanceledException>(() => stream.PushPrompt(Prompt, gone));
                IsUnjudged(stream);
                stream.PushPrompt(Prompt);
                IsUnjudged(stream); // the assistant's turn, which has no text yet
                Check.Throws<OperationCanceledException>(() => stream.PushText(Long, new CancellationTokenSource(5).Token));
                Check.Fails(Status.InvalidUtf8, () => stream.PushText(new byte[] { 0xFF, 97 }));
                IsUnjudged(stream);
                stream.Reset();
                stream.Restore(new[] { new Message(Role.User, "Hi."), new Message(Role.Assistant, "Hello.") });
                IsUnjudged(stream, 6);
            }
        }
    }

    public static void TextThatNoVerdictCovers()
    {
        using (var guard = Gen())
        using (var stream = new GuardStream(guard))
        {
            stream.PushPrompt(Prompt);
            foreach (var token in stream.PushText("Press").Tokens) LookAt(token, "token"); // before the first verdict
            IsUnjudged(stream, 5);
            Check.Same(Severity.Safe, stream.EndTurn().Decision.Severity);
        }
        var options = new StreamOptions { MaxTokens = 40, Context = ContextPolicy.Stop };
        using (var guard = Live())
        using (var stream = new GuardStream(guard, options))
        {
            stream.PushPrompt("Hi.");
            var stop = stream.PushText(Times("The fox ran over the hill. ", 10)).StoppedAtByte;
            foreach (var decision in new[] { stream.Decision, stream.EndTurn().Decision })
            {
                LookAt(decision, "decision");
                Check.Same(stop, decision.UnjudgedBegin);
                Check.Same(270L, decision.UnjudgedEnd);
            }
        }
    }

    public static void BatchesOfStreams()
    {
        using (var guard = Live())
        using (var batch = new GuardBatch(guard))
        using (GuardStream good = new GuardStream(guard), bad = new GuardStream(guard))
        {
            ulong failed = batch.Add(), silent = batch.Add();
            batch.PushText(failed, Bad);
            batch.Step();
            var found = batch.Poll(failed).Single();
            Check.That(found.Kind == EventKind.Error && found.Error != null && found.Turn == null, "an error");
            Check.Same(0, found.Update.Tokens.Count);
            LookAt(found, "event");
            Check.Same(0, batch.Poll(silent).Count);
            batch.Visit(silent, stream => IsUnjudged(stream));

            good.PushPrompt(Prompt);
            bad.PushPrompt(Prompt);
            var pushes = new[] { new StreamPush { Stream = good, Ids = new[] { 1 } }, new StreamPush { Stream = bad, Ids = new[] { -1 } } };
            GuardStream.PushBatch(guard, pushes);
            Check.That(pushes[0].Tokens.Length == 1 && pushes[0].Error == null, "it was judged");
            Check.That(pushes[1].Tokens == null && pushes[1].Error.Status == Status.TokenRange, "it was not");
            IsUnjudged(bad);
            bad.Dispose();
            Check.Throws<ObjectDisposedException>(() => GuardStream.PushBatch(guard, pushes));
            foreach (var push in pushes) Check.That(push.Tokens == null && push.Error == null, "what an earlier call gave is gone");
        }
    }

    public static void DroppedMessagesAreNamed()
    {
        var messages = new[] { new Message(Role.Assistant, "Hello!"), new Message(Role.User, "Hi"), new Message(Role.Tool, "x"),
            new Message(Role.Assistant, "It is fine.") };
        var reject = new ClassifyOptions { RejectDropped = true };
        using (Guard gen = Gen(), live = Live())
        {
            var verdict = gen.Classify(messages);
            Check.Same("0 2", string.Join(" ", verdict.DroppedMessages));
            Check.Same(2, verdict.DroppedMessageCount);
            Check.Fails(Status.InvalidArgument, () => gen.Classify(messages, reject));
            Check.Same(0, live.Classify(messages, reject).DroppedMessageCount);
            var many = Enumerable.Repeat(new Message(Role.Tool, "x"), 40).Concat(Conversation("Hi")).ToArray();
            verdict = gen.Classify(many);
            Check.Same(31, verdict.DroppedMessages.Count);
            Check.Same(40, verdict.DroppedMessageCount);
            using (var stream = new GuardStream(gen, new StreamOptions { RejectDropped = true }))
            {
                Check.Fails(Status.InvalidArgument, () => stream.Restore(messages));
                Check.Fails(Status.InvalidArgument, () => stream.BeginTurn(Role.Tool));
            }
        }
        Check.Same("tool", Names.Of(Role.Tool));
    }
}
