// SPDX-License-Identifier: Apache-2.0
// A response judged while other code writes it.
using System;
using System.Threading.Tasks;
using Qwen3Guard;

internal static class AsyncExample
{
    private static void Main() => JudgeAsync().Wait();

    private static async Task JudgeAsync()
    {
        using (var live = Guard.Embedded("nano-stream"))
        using (var stream = new GuardStream(live))
        {
            await stream.PushPromptAsync("Hello!");
            var queue = new TextQueue();
            var writing = Task.Run(async () => // stands for the callback that a language model's words come by
            {
                foreach (string word in "You are a worthless idiot and nobody likes you.".Split(' '))
                {
                    queue.Add(word + " ");
                    await Task.Delay(10);
                }
                queue.Complete();
            });
            var updates = stream.JudgeAsync(queue);
            while (await updates.MoveNextAsync()) // from C# 8 on: await foreach (var update in updates)
            {
                if (stream.Decision.Action == GuardAction.Block && stream.Decision.IsSettled) break;
            }
            var decision = (await stream.EndTurnAsync()).Decision;
            Console.WriteLine(decision.Explain());
            if (decision.Action != GuardAction.Allow) Console.WriteLine("hold it back");
            await writing;
        }
    }
}
