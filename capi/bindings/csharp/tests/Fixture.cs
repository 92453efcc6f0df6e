// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using Qwen3Guard;

/// <summary>The models and texts of the tests.</summary>
internal static class Fixture
{
    public const string Prompt = "How do I kill a Python process?";
    public const string Threat = "You are a worthless idiot and I will burn your house down, kill yourself.";
    public const string Story = "Once upon a time there was a fox. It was na\u00efve \u2014 \u4f60\u597d, \U0001f600! The end. ";
    public const int Seed = 20261124;

    public static Guard Gen() => Guard.Load(Tiny("gen"));
    public static Guard Live() => Guard.Load(Tiny("stream"));
    /// <summary>The folder of a checkpoint, "gen" or "stream", that settles what tests ask about, whatever the models in
    /// the library believe.</summary>
    public static string Tiny(string kind) => "../../../tests/golden/tiny/" + kind;
    public static string Times(string text, int n) => string.Concat(Enumerable.Repeat(text, n));

    public static void Close(IReadOnlyList<TokenVerdict> a, IReadOnlyList<TokenVerdict> b)
    {
        Check.Same(a.Count, b.Count);
        for (int i = 0; i < a.Count; ++i)
        {
            Check.Same(a[i].Id, b[i].Id);
            Check.Same(a[i].ByteEnd, b[i].ByteEnd);
            Check.That(Math.Abs(a[i].Probabilities.Unsafe - b[i].Probabilities.Unsafe) <= 1e-4, "probabilities are close");
        }
    }
}
