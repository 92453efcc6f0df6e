// SPDX-License-Identifier: Apache-2.0
// A prompt's verdict, and what two policies make of it.
using System;
using Qwen3Guard;

internal static class PolicyExample
{
    private static void Main(string[] args)
    {
        // A file, or one of the library's own.
        using (var policy = args.Length > 0 ? Policy.Load(args[0]) : Policy.Preset("chat-game"))
        using (var strict = Policy.Preset("strict"))
        using (var guard = Guard.Embedded("nano-gen"))
        {
            Console.Write(policy.Describe());
            var options = new ClassifyOptions { Policy = policy };
            var verdict = guard.ClassifyPrompt("I will burn your house down, idiot", options);
            var ruling = verdict.Ruling;
            Console.WriteLine("{0} -> {1}, by rule {2} of {3} {4}", verdict.Severity, ruling.Action, ruling.Rule,
                ruling.PolicyName, ruling.PolicyVersion);

            // What was judged once can be ruled on again, without a model.
            Console.WriteLine("strict would {0} it", strict.DecideVerdict(verdict).Action);
        }
    }
}
