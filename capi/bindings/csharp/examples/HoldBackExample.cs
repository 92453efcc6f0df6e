// SPDX-License-Identifier: Apache-2.0
// An answer that is shown only as far as it was judged, and written again from there where it is blocked. C# 8, .NET 8.
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Qwen3Guard;

internal static class HoldBackExample
{
    private const string Good = "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. ";
    private const string Bad = "Only an ugly idiot like you would ask, nobody likes you, burn in hell. ";

    private static async IAsyncEnumerable<string> Model(string answer) // stands for a language model
    {
        foreach (string word in answer.Split(' '))
        {
            await Task.Yield();
            yield return word + " ";
        }
    }

    private static async Task Main()
    {
        using var guard = Guard.Embedded("nano-stream");
        using var stream = new GuardStream(guard);
        await stream.PushPromptAsync("How do I get over the river?");
        using var hold = new HoldBack(stream); // 40 tokens are held back, 5 retries
        HoldBackBlock block;
        string answer = Good + Bad + Bad;
        while (true)
        {
            await foreach (string text in hold.ShowAsync(Model(answer))) Console.Write(text);
            block = hold.Last.Block; // null: all of it was shown
            if (block == null || block.RetriesLeft == 0) break;
            Console.Write("[held back: " + block.Decision.Ruling.Category + "] ");
            hold.Retry();
            answer = (Good + Good).Substring((int)block.ContinueByte); // all of it is ASCII
        }
        if (block != null) hold.Withdraw(); // what was shown stands
        Console.WriteLine("\n" + hold.Stats.WithdrawnBytes + " bytes were never shown");
    }
}
