// SPDX-License-Identifier: Apache-2.0

package qwen3guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	qwen3guard "github.com/qwen3guard/qwen3guard/capi/bindings/go"
)

func Example() {
	guard, err := qwen3guard.LoadEmbedded("nano-gen", nil) // or Load("path/to/Qwen3Guard-Gen-0.6B", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	verdict, err := guard.ClassifyPrompt(ctx, "How do I kill a Python process?", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Severity, "->", verdict.Ruling.Action)
	// Output: Safe -> allow
}

func ExampleStream_Writer() {
	guard, err := qwen3guard.LoadEmbedded("nano-stream", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()
	stream, err := guard.OpenStream(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	ctx := context.Background()
	if _, err := stream.PushPrompt(ctx, "Hello!"); err != nil {
		log.Fatal(err)
	}
	response := strings.NewReader("You are a worthless idiot and nobody likes you.")
	_, err = io.Copy(stream.Writer(ctx, nil), response)
	fmt.Println(errors.Is(err, qwen3guard.ErrBlocked))
	// Output: true
}

func ExamplePolicy() {
	policy, err := qwen3guard.PresetPolicy("chat-game") // or LoadPolicy("policy.json")
	if err != nil {
		log.Fatal(err)
	}
	defer policy.Close()
	guard, err := qwen3guard.LoadEmbedded("nano-gen", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer guard.Close()
	options := &qwen3guard.ClassifyOptions{Policy: policy}
	verdict, err := guard.ClassifyPrompt(context.Background(), "Good morning!", options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.Ruling.PolicyName, verdict.Ruling.Action)
	// Output: chat-game allow
}

func ExampleStatus() {
	_, err := qwen3guard.Load("no/such/folder", nil)
	if errors.Is(err, qwen3guard.StatusFileNotFound) {
		fmt.Println("no model there")
	}
	var failure *qwen3guard.Error
	fmt.Println(errors.As(err, &failure))
	// Output:
	// no model there
	// true
}
