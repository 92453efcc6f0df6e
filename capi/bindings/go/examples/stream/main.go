// SPDX-License-Identifier: Apache-2.0

// A prompt's verdict, then a response judged word by word until it is flagged.
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
	fmt.Println(verdict.Severity, "->", verdict.Action)

	stream := must(must(qwen3guard.LoadEmbedded("nano-stream", nil)).OpenStream(nil))
	must(stream.PushPrompt(ctx, "Hello!"))
	writer := stream.Writer(ctx, nil) // an io.Writer: io.Copy judges a response while it flows
	for _, word := range strings.SplitAfter("You are a worthless idiot and nobody likes you.", " ") {
		_, err := writer.WriteString(word)
		fmt.Printf("%s: %v\n", word, must(stream.Decision()).Severity)
		if err != nil {
			fmt.Println(err)
			break
		}
	}
}
