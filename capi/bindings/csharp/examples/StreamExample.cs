// SPDX-License-Identifier: Apache-2.0
// A prompt's verdict, then a response judged word by word until it is blocked for good.
using System;
using Qwen3Guard;

internal static class StreamExample
{
    private static void Main()
    {
        using (var gen = Guard.Embedded("nano-gen")) // or Guard.Load("path/to/Qwen3Guard-Gen-0.6B")
        {
            var verdict = gen.ClassifyPrompt("How do I kill a Python process?");
            bool isAllowed = verdict.Action == GuardAction.Allow; // None, where nothing was judged, is not Allow
            Console.WriteLine(isAllowed ? verdict.Severity + " -> " + verdict.Action : "hold it back");
        }
        using (var live = Guard.Embedded("nano-stream"))
        using (var stream = new GuardStream(live))
        {
            stream.PushPrompt("Hello!");
            foreach (string word in "You are a worthless idiot and nobody likes you.".Split(' '))
            {
                stream.PushText(word + " ");
                Console.WriteLine(word + ": " + stream.Decision.Severity);
                // The next word may take back what is not settled.
                if (stream.Decision.Action == GuardAction.Block && stream.Decision.IsSettled) break;
            }
            var decision = stream.EndTurn().Decision; // which settles the last words
            Console.WriteLine(decision.Explain());
            if (decision.Action != GuardAction.Allow) Console.WriteLine("hold it back");
        }
    }
}
