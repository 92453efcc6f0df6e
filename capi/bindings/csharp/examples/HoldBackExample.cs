// SPDX-License-Identifier: Apache-2.0
// An answer that is shown only as far as it was judged, and written again from there where it is blocked.
using System;
using System.Threading.Tasks;
using Qwen3Guard;

internal static class HoldBackExample
{
    private const string Good = "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. ";
    private const string Bad = "Only an ugly idiot like you would ask, nobody likes you, burn in hell. ";

    private static async Task Write(TextQueue queue, string text) // stands for a language model's callback
    {
        foreach (string word in text.Split(' '))
        {
            queue.Add(word + " ");
            await Task.Delay(1);
        }
        queue.Complete();
    }

    private static void Main() => TalkAsync().Wait();

    private static async Task TalkAsync()
    {
        using (var guard = Guard.Embedded("nano-stream"))
        using (var stream = new GuardStream(guard))
        {
            await stream.PushPromptAsync("How do I get over the river?");
            using (var hold = new HoldBack(stream)) // 40 tokens are held back, 5 retries
            {
                string answer = Good + Bad + Bad;
                while (true)
                {
                    var queue = new TextQueue();
                    var writing = Write(queue, answer);
                    var texts = hold.ShowAsync(queue);
                    while (await texts.MoveNextAsync()) // from C# 8 on: await foreach (string text in texts)
                        Console.Write(texts.Current);
                    await writing;
                    var block = hold.Last.Block;
                    if (hold.Last.State != HoldBackState.Blocked || block.RetriesLeft == 0) break;
                    Console.Write("[held back: " + block.Decision.Ruling.Category + "] ");
                    hold.Retry();
                    answer = (Good + Good).Substring((int)block.ContinueByte); // all of it is ASCII
                }
                if (hold.Last.State == HoldBackState.Blocked) hold.Withdraw(); // what was shown stands
                Console.WriteLine("\n" + hold.Stats.WithdrawnBytes + " bytes were never shown");
            }
        }
    }
}
