// SPDX-License-Identifier: Apache-2.0

// Time of a call through this binding, in nanoseconds: the least of 20 means of 20,000 calls. What the same calls take
// in C++ is what benchmarks/overhead of the project prints. "push" is PushText of no text, which judges nothing; "push_cancellable" the
// same with a context that can be done: the difference is what watching it costs.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	qwen3guard "github.com/qwen3guard/qwen3guard/capi/bindings/go"
)

func leastNs(call func() error) float64 {
	const calls = 20000
	least := 0.0
	for round := 0; round < 20; round++ {
		start := time.Now()
		for i := 0; i < calls; i++ {
			if err := call(); err != nil {
				log.Fatal(err)
			}
		}
		if ns := float64(time.Since(start).Nanoseconds()) / calls; round == 0 || ns < least {
			least = ns
		}
	}
	return least
}

func main() {
	guard, err := qwen3guard.LoadEmbedded("nano-stream", nil)
	if err != nil {
		log.Fatal(err)
	}
	tokenizer, err := guard.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	stream, err := guard.OpenStream(nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := stream.PushPrompt(context.Background(), "Tell me a story."); err != nil {
		log.Fatal(err)
	}
	if _, err := stream.PushText(context.Background(), "Once upon a time there was a fox."); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("go encode %.0f\n", leastNs(func() error { _, err := tokenizer.Encode("Hello, world!"); return err }))
	done, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"push": context.Background(), "push_cancellable": done} {
		ctx := ctx
		fmt.Printf("go %s %.0f\n", name, leastNs(func() error { _, err := stream.PushText(ctx, ""); return err }))
	}
	fmt.Printf("go decision %.0f\n", leastNs(func() error { _, err := stream.Decision(); return err }))
}
