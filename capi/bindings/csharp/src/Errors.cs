// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>A call failed, and left everything as it was. The message says what was wrong, where and what was
    /// expected.</summary>
    public sealed class Qwen3GuardException : Exception
    {
        /// <summary>Why.</summary>
        public Status Status { get; }

        /// <summary>An exception of a status.</summary>
        public Qwen3GuardException(Status status, string message) : base(message)
        {
            Status = status;
        }
    }

    /// <summary>The answer has ended, and the rest of its text was not judged completely: it is never shown.</summary>
    public sealed class NotJudgedException : Exception
    {
        internal NotJudgedException() : base("the answer has ended, and not all of it was judged; the rest is withheld")
        {
        }
    }
}
