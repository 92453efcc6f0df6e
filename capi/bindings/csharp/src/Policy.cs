// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>What to do about verdicts, as a document says it (docs/policy.md): Policy.Load, Parse or Preset. A policy never
    /// changes a severity: its Ruling stands beside it. Immutable: any number of threads at once. It may be disposed of while a
    /// stream or a call uses it.</summary>
    public sealed unsafe class Policy : IDisposable
    {
        private static readonly PolicyHandle Default = new PolicyHandle(IntPtr.Zero);

        internal readonly PolicyHandle Handle;

        /// <summary>The default policy, which blocks what is Unsafe or Controversial.</summary>
        public Policy() : this(Parsed(Json(Default))) { }

        private Policy(PolicyHandle handle)
        {
            Handle = handle;
        }

        /// <summary>Frees the policy when nothing uses it any more.</summary>
        public void Dispose() => Handle.Dispose();

        private delegate int Maker(byte* text, UIntPtr bytes, IntPtr* policy, q3g_error* error);

        private static PolicyHandle Make(string text, string name, Maker make)
        {
            var data = Call.Utf8(text, name);
            var error = Call.Slot();
            IntPtr policy;
            fixed (byte* p = data) Call.Check(make(p, Call.Size(data.Length), &policy, &error), &error);
            return new PolicyHandle(policy);
        }

        private static PolicyHandle Parsed(string json)
        {
            return Make(json, nameof(json),
                (text, bytes, policy, error) => NativeMethods.q3g_policy_parse(text, bytes, policy, error));
        }

        private static string Json(PolicyHandle handle)
        {
            return Call.Read((text, capacity, n, error) =>
                NativeMethods.q3g_policy_to_json(handle, text, capacity, n, error));
        }

        /// <summary>Reads a policy's file. Status.FileNotFound, Status.Io, and Status.InvalidArgument, with the line and the path
        /// of what is wrong.</summary>
        public static Policy Load(string path)
        {
            return new Policy(Make(path, nameof(path),
                (text, bytes, policy, error) => NativeMethods.q3g_policy_load(text, bytes, policy, error)));
        }

        /// <summary>Reads a policy's JSON text. As Load.</summary>
        public static Policy Parse(string json) => new Policy(Parsed(json));

        /// <summary>A policy of the library. Status.InvalidArgument, with the names there are.</summary>
        public static Policy Preset(string name)
        {
            return new Policy(Make(name, nameof(name),
                (text, bytes, policy, error) => NativeMethods.q3g_policy_preset(text, bytes, policy, error)));
        }

        /// <summary>Names of the library's policies.</summary>
        public static IReadOnlyList<string> Presets()
        {
            var names = new List<string>();
            for (;;)
            {
                byte* name = NativeMethods.q3g_policy_preset_name(Call.Size(names.Count));
                if (name == null) return names;
                names.Add(Call.Text(name));
            }
        }

        /// <summary>The policy as JSON text that Parse reads.</summary>
        public string ToJson() => Json(Handle);

        /// <summary>What it does, in plain words: some lines for a person.</summary>
        public string Describe()
        {
            return Call.Read((text, capacity, n, error) =>
                NativeMethods.q3g_policy_describe(Handle, text, capacity, n, error));
        }

        /// <summary>The action on what could not be judged, such as a call that failed: None or Block, never Allow.</summary>
        public GuardAction UnjudgedAction
        {
            get
            {
                var error = Call.Slot();
                int action;
                Call.Check(NativeMethods.q3g_policy_unjudged_action(Handle, &action, &error), &error);
                return (GuardAction)action;
            }
        }

        /// <summary>The ruling on a verdict that was given under another policy, bit for bit what classifying under this one
        /// would have ruled. text: the judged message, which a policy with lists needs. Status.InvalidArgument for a Stream
        /// checkpoint's verdict: Decide rules on its tokens.</summary>
        public Ruling DecideVerdict(Verdict verdict, string text = "")
        {
            var data = Call.Utf8(text, nameof(text));
            var error = Call.Slot();
            q3g_verdict raw;
            Call.Need(verdict, nameof(verdict)).ToC(&raw);
            fixed (byte* p = data)
            {
                Call.Check(NativeMethods.q3g_policy_decide_verdict(Handle, &raw, p, Call.Size(data.Length), &error), &error);
            }
            return Ruling.Of(&raw);
        }

        /// <summary>The decision over the verdicts of a turn of this role, whose Action it sets. hasEnded: the turn is over. Lists
        /// have no part in it.</summary>
        public Decision Decide(Role role, IReadOnlyList<TokenVerdict> tokens, bool hasEnded)
        {
            var error = Call.Slot();
            var decision = Decision.Place();
            var raw = new q3g_token_verdict[Call.Need(tokens, nameof(tokens)).Count];
            fixed (q3g_token_verdict* p = raw)
            {
                for (int i = 0; i < raw.Length; ++i) Call.Need(tokens[i], nameof(tokens)).ToC(p + i);
                Call.Check(NativeMethods.q3g_policy_decide(Handle, (int)role, p, Call.Size(raw.Length), Call.Bool(hasEnded),
                    &decision, &error), &error);
                for (int i = 0; i < raw.Length; ++i) tokens[i].Action = (GuardAction)p[i].action;
            }
            return new Decision(decision);
        }
    }

    /// <summary>A policy in a C struct, kept alive for one call: it may be disposed of meanwhile.</summary>
    internal struct PolicyScope : IDisposable
    {
        private readonly PolicyHandle handle;

        public PolicyScope(Policy policy)
        {
            handle = policy?.Handle;
            bool isKept = false;
            handle?.DangerousAddRef(ref isKept);
        }

        /// <summary>NULL when there is none.</summary>
        public IntPtr Raw => handle != null ? handle.DangerousGetHandle() : IntPtr.Zero;

        public void Dispose() => handle?.DangerousRelease();
    }
}
