// SPDX-License-Identifier: Apache-2.0
// A prompt's verdict, then a response judged word by word until it is flagged.
using System;
using Qwen3Guard;

internal static class StreamExample
{
    private static void Main()
    {
        using (var gen = Guard.Embedded("nano-gen")) // or Guard.Load("path/to/Qwen3Guard-Gen-0.6B")
        {
            var verdict = gen.ClassifyPrompt("How do I kill a Python process?");
            Console.WriteLine(verdict.Severity + " -> " + verdict.Action);
        }
        using (var live = Guard.Embedded("nano-stream"))
        using (var stream = new GuardStream(live))
        {
            stream.PushPrompt("Hello!");
            foreach (string word in "You are a worthless idiot and nobody likes you.".Split(' '))
            {
                stream.PushText(word + " ");
                Console.WriteLine(word + ": " + stream.Decision.Severity);
                if (!stream.Decision.IsFlagged) continue;
                Console.WriteLine(stream.Decision.Explain());
                break;
            }
        }
    }
}
