// SPDX-License-Identifier: Apache-2.0
// Hold-back: what is shown is a prefix of text that was judged and is not blocked; nothing is lost or shown twice.
using Qwen3Guard;
using static Fixture;

public static class HoldBackTests
{
    private const string Clean = "Well met, traveller. The bridge fell last winter \u2014 \u4f60\u597d, \U0001f600! ";
    private const string Insult = "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. ";

    private static void Put(HoldBack hold, string text, ref string shown)
    {
        foreach (byte one in System.Text.Encoding.UTF8.GetBytes(text))
        {
            hold.Put(new[] { one });
            shown += hold.Take().Text;
            if (hold.Last.State != HoldBackState.Writing) return;
        }
    }

    private static void Answer(HoldBack hold)
    {
        string shown = "";
        Put(hold, Clean + Times(Insult, 3), ref shown);
        Check.Same(HoldBackState.Blocked, hold.Last.State);
        Check.That((Clean + Times(Insult, 3)).StartsWith(shown), shown);
        Check.That(hold.Last.Block.IsSettled && !hold.Last.Block.IsPrompt && hold.Last.Block.RetriesLeft == 5, "a block");
        Check.Same(GuardAction.Block, hold.Last.Block.Decision.Ruling.Action);
        Check.Fails(Status.InvalidArgument, () => hold.Put("x"));
        Check.Fails(Status.InvalidArgument, () => hold.Retry(-1));
        hold.Retry();
        string before = shown;
        Put(hold, Clean, ref shown);
        hold.Finish();
        while (hold.Last.State == HoldBackState.Writing || hold.Last.State == HoldBackState.Finishing) shown += hold.Take(20).Text;
        Check.Same(HoldBackState.Ended, hold.Last.State);
        Check.Same(before + Clean, shown);
        var stats = hold.Stats;
        Check.Same(stats.PutBytes, stats.ShownBytes + stats.WithdrawnBytes);
        Check.Same(1, stats.Retries);
        Check.Fails(Status.InvalidArgument, hold.Withdraw);
    }

    public static void Answers()
    {
        using (var guard = Live())
        using (var stream = new GuardStream(guard))
        using (var batch = new GuardBatch(guard))
        {
            Check.Fails(Status.InvalidArgument, () => new HoldBack(stream));
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream, new HoldBackOptions { BufferTokens = 8 })) Answer(hold);
            stream.PushPrompt("Hello!");
            using (var hold = new HoldBack(stream))
            {
                hold.Put(Times(Insult, 3));
                Check.Same("", hold.Take().Text);
                hold.Withdraw();
                Check.Same(HoldBackState.Withheld, hold.Take().State);
            }
            batch.Start();
            ulong session = batch.Add();
            batch.PushPrompt(session, "Hello!");
            using (var hold = new HoldBack(batch, session)) hold.Take();
            Check.Fails(Status.InvalidArgument, () => new HoldBack(batch, session + 9));
        }
    }
}
