// SPDX-License-Identifier: Apache-2.0

// A prompt's verdict, then a response judged word by word until it is blocked. What was not judged is an error.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	qwen3guard "github.com/qwen3guard/qwen3guard/capi/bindings/go"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	gen := must(qwen3guard.LoadEmbedded("nano-gen", nil)) // or Load("path/to/Qwen3Guard-Gen-0.6B", nil)
	verdict := must(gen.ClassifyPrompt(ctx, "How do I kill a Python process?", nil))
	fmt.Println(verdict.Severity, "->", verdict.Ruling.Action)

	stream := must(must(qwen3guard.LoadEmbedded("nano-stream", nil)).OpenStream(nil))
	must(stream.PushPrompt(ctx, "Hello!"))
	held := "" // until it is judged, and not blocked
	for _, word := range strings.SplitAfter("You are a worthless idiot and nobody likes you.", " ") {
		must(stream.PushText(ctx, word))
		held += word
		decision := must(stream.Decision())
		if decision.Action == qwen3guard.Block && decision.Ruling.Settled {
			break // the next word may take back what is not settled
		}
		if decision.Complete && decision.Action != qwen3guard.Block {
			fmt.Printf("%s: %v\n", held, decision.Severity)
			held = ""
		}
	}
	decision := must(stream.EndTurn(ctx)).Decision // nothing follows: all of it is settled
	if !decision.Complete {
		log.Fatal("not judged: ", must(decision.Explain()))
	}
	fmt.Printf("%s: %s\n", held, must(decision.Explain()))
}
