// SPDX-License-Identifier: Apache-2.0
// Strings that have no UTF-8 are as bytes that are none: the option says what becomes of them, of each text for itself.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Qwen3Guard;
using static Fixture;

public static class SurrogateTests
{
    private static readonly string[] Lone = { "\ud800", "caf\u00e9 \ud83d", "\ude00\ud83d", "a\U0001f600\udc00\U0001f600\u4f60z" };

    public static void TheyAreThreeBytes()
    {
        var random = new Random(Seed);
        var units = new[] { 'a', '\u00e9', '\u4f60', '\ud83d', '\ude00', '\ud800', '\udfff' };
        for (int i = 0; i < 2000; ++i)
        {
            var text = new string(Enumerable.Range(0, random.Next(8)).Select(_ => units[random.Next(units.Length)]).ToArray());
            var expected = new List<byte>();
            for (int at = 0; at < text.Length; ++at)
            {
                bool isPair = at + 1 < text.Length && char.IsSurrogatePair(text, at);
                int c = isPair ? char.ConvertToUtf32(text, at++) : text[at];
                if (c < 0x80) expected.Add((byte)c);
                else if (c < 0x800) expected.AddRange(new[] { (byte)(0xC0 | c >> 6), (byte)(0x80 | c & 63) });
                else
                {
                    if (c > 0xFFFF) expected.AddRange(new[] { (byte)(0xF0 | c >> 18), (byte)(0x80 | c >> 12 & 63) });
                    else expected.Add((byte)(0xE0 | c >> 12));
                    expected.AddRange(new[] { (byte)(0x80 | c >> 6 & 63), (byte)(0x80 | c & 63) });
                }
            }
            Check.That(expected.SequenceEqual(new Message(Role.User, text).Utf8), "the bytes of " + string.Join(" ",
                text.Select(c => ((int)c).ToString("x4"))) + ", seed " + Seed);
        }
    }

    public static void TheyFailAlone()
    {
        var replace = new ClassifyOptions { InvalidUtf8 = InvalidUtf8.Replace };
        foreach (Func<Guard> model in new Func<Guard>[] { Gen, Live })
        {
            using (var guard = model())
            {
                var good = new[] { new Message(Role.User, Prompt) };
                foreach (string lone in Lone)
                {
                    var message = new Message(Role.User, lone);
                    var batch = new IReadOnlyList<Message>[] { good, new[] { message }, good };
                    var found = guard.ClassifyBatch(batch);
                    Check.Same("True False True", string.Join(" ", found.Select(item => item.Error == null)));
                    Check.Same(Status.InvalidUtf8, found[1].Error.Status);
                    Check.That(found[1].Error.Message.Contains("messages[0].content"), found[1].Error.Message);
                    Check.That(guard.ClassifyBatch(batch, replace).All(item => item.Error == null), "all are judged");
                    Check.Fails(Status.InvalidUtf8, () => guard.ClassifyPrompt(lone));
                    Check.Fails(Status.InvalidUtf8, () => guard.ClassifyResponse(Prompt, lone));
                    Check.Same(guard.ClassifyPrompt(lone, replace).PromptTokens,
                        guard.ClassifyPrompt(message.Utf8, replace).PromptTokens);
                }
            }
        }
    }

    public static void InStreams()
    {
        using (var guard = Live())
        using (var strict = new GuardStream(guard))
        using (var lenient = new GuardStream(guard, new StreamOptions { InvalidUtf8 = InvalidUtf8.Replace }))
        using (var batch = new GuardBatch(guard))
        {
            foreach (var stream in new[] { strict, lenient })
            {
                stream.PushPrompt("Hi");
                stream.PushText("a");
            }
            Check.Fails(Status.InvalidUtf8, () => strict.PushText("\ud83d"));
            lenient.PushText("\ud83d b");
            Check.Same(1L, strict.Info.TurnBytes);
            Check.Same(6L, lenient.Info.TurnBytes);
            ulong bad = batch.Add(), good = batch.Add();
            batch.PushPrompt(bad, "\ud83d"); // what is wrong with a text comes as an event
            batch.PushPrompt(good, Prompt);
            batch.Step();
            Check.Same(Status.InvalidUtf8, batch.Poll(bad).Last().Error.Status);
            Check.That(batch.Poll(good).Last().Error == null, "the other one is judged");
        }
    }
}
