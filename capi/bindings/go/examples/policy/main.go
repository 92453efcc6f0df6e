// SPDX-License-Identifier: Apache-2.0

// A prompt's verdict, and what two policies make of it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	qwen3guard "github.com/qwen3guard/qwen3guard/capi/bindings/go"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	// A file, or one of the library's own.
	policy := must(qwen3guard.PresetPolicy("chat-game"))
	if len(os.Args) > 1 {
		policy = must(qwen3guard.LoadPolicy(os.Args[1]))
	}
	fmt.Print(must(policy.Describe()))

	guard := must(qwen3guard.LoadEmbedded("nano-gen", nil))
	options := &qwen3guard.ClassifyOptions{Policy: policy}
	verdict := must(guard.ClassifyPrompt(context.Background(), "I will burn your house down, idiot", options))
	ruling := verdict.Ruling
	fmt.Printf("%v -> %v, by rule %v of %s %s\n",
		verdict.Severity, ruling.Action, ruling.Rule, ruling.PolicyName, ruling.PolicyVersion)

	// What was judged once can be ruled on again, without a model.
	stricter := must(must(qwen3guard.PresetPolicy("strict")).DecideVerdict(verdict, ""))
	fmt.Printf("strict would %v it\n", stricter.Action)
}
