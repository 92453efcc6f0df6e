// SPDX-License-Identifier: Apache-2.0
namespace Qwen3Guard
{
    /// <summary>Bounds of a batch; null: the default.</summary>
    public sealed class BatchOptions
    {
        /// <summary>Of all sessions; 0: no bound.</summary>
        public ulong MemoryBudgetBytes;
        /// <summary>Of one session's text that waits.</summary>
        public ulong? MaxWaitingBytes;
        /// <summary>Tokens of one forward, 1 to 4096.</summary>
        public int? MaxStepTokens;
        /// <summary>Of one session in it.</summary>
        public int? MaxSessionTokens;
        /// <summary>In milliseconds from a push.</summary>
        public double? DefaultDeadlineMs;
    }

    /// <summary>What became of something that was pushed.</summary>
    public sealed class BatchEvent
    {
        /// <summary>What it is about.</summary>
        public EventKind Kind { get; internal set; }
        /// <summary>What it did to the turn's verdicts.</summary>
        public Update Update { get; internal set; } = new Update();
        /// <summary>The turn's decision behind it.</summary>
        public Decision Decision { get; internal set; } = new Decision();
        /// <summary>Of a TurnEnd; else null.</summary>
        public Turn Turn { get; internal set; }
        /// <summary>Of an Error; else null.</summary>
        public Qwen3GuardException Error { get; internal set; }
        /// <summary>Milliseconds from the (oldest joined) push to the verdict; of Overdue: until now.</summary>
        public double WaitedMs { get; internal set; }
        /// <summary>Later than its deadline.</summary>
        public bool IsLate { get; internal set; }
    }
}
