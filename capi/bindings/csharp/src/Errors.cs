// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Why a call failed. The list may grow: treat an unknown one as an error.</summary>
    public enum Status
    {
        /// <summary>The call succeeded.</summary>
        Ok = NativeMethods.Q3G_OK,
        /// <summary>A parameter breaks the function's contract.</summary>
        InvalidArgument = NativeMethods.Q3G_E_INVALID_ARGUMENT,
        /// <summary>A path, or a model of the library, does not exist.</summary>
        FileNotFound = NativeMethods.Q3G_E_FILE_NOT_FOUND,
        /// <summary>The operating system refused to open, map, read or write.</summary>
        Io = NativeMethods.Q3G_E_IO,
        /// <summary>A model file is damaged.</summary>
        BadCheckpoint = NativeMethods.Q3G_E_BAD_CHECKPOINT,
        /// <summary>A tokenizer file is damaged, or a model has none.</summary>
        BadTokenizer = NativeMethods.Q3G_E_BAD_TOKENIZER,
        /// <summary>A sound file that asks for what this library does not have.</summary>
        UnsupportedModel = NativeMethods.Q3G_E_UNSUPPORTED_MODEL,
        /// <summary>The forced instruction set is unknown or missing on this CPU.</summary>
        UnsupportedIsa = NativeMethods.Q3G_E_UNSUPPORTED_ISA,
        /// <summary>Text is not UTF-8, or a string has a lone surrogate (three bytes that are none); the message says
        /// where.</summary>
        InvalidUtf8 = NativeMethods.Q3G_E_INVALID_UTF8,
        /// <summary>A token id is not in the vocabulary.</summary>
        TokenRange = NativeMethods.Q3G_E_TOKEN_RANGE,
        /// <summary>More tokens than the context has room for.</summary>
        ContextFull = NativeMethods.Q3G_E_CONTEXT_FULL,
        /// <summary>Greedy decoding wrote something that is no verdict.</summary>
        UnparsableOutput = NativeMethods.Q3G_E_UNPARSABLE_OUTPUT,
        /// <summary>An allocation failed.</summary>
        OutOfMemory = NativeMethods.Q3G_E_OUT_OF_MEMORY,
        /// <summary>A bug in the library.</summary>
        Internal = NativeMethods.Q3G_E_INTERNAL,
        /// <summary>A progress function asked to stop. (A CancellationToken gives an OperationCanceledException.)</summary>
        Cancelled = NativeMethods.Q3G_E_CANCELLED,
        /// <summary>A batch's bound on memory or on waiting text.</summary>
        BudgetExceeded = NativeMethods.Q3G_E_BUDGET_EXCEEDED,
        /// <summary>A buffer is too small; the binding handles it.</summary>
        BufferTooSmall = NativeMethods.Q3G_E_BUFFER_TOO_SMALL,
        /// <summary>A handle is no handle of its type.</summary>
        BadHandle = NativeMethods.Q3G_E_BAD_HANDLE,
    }

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
}
