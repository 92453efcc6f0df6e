// SPDX-License-Identifier: Apache-2.0

// An answer of which only judged text is shown: on a block the model goes on behind what was shown.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	qwen3guard "github.com/qwen3guard/qwen3guard/capi/bindings/go"
)

const (
	kind   = "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. "
	insult = "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. "
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	stream := must(must(qwen3guard.LoadEmbedded("nano-stream", nil)).OpenStream(nil))
	must(stream.PushPrompt(ctx, "How do I get over the river?"))
	hold := must(stream.HoldBack(&qwen3guard.HoldBackOptions{BufferTokens: qwen3guard.Some(16)}))

	answer := kind + kind + insult + insult // of the host's model
	for {
		writer := hold.Writer(ctx)
		go func(answer string) { // as the model writes
			for _, word := range strings.SplitAfter(answer, " ") {
				if _, err := io.WriteString(writer, word); err != nil {
					return // blocked
				}
			}
			writer.Close()
		}(answer)
		_, err := io.Copy(os.Stdout, hold.Reader(ctx)) // what may be shown
		var blocked *qwen3guard.BlockedError
		if !errors.As(err, &blocked) {
			must(0, err)
			break // all of it was shown
		}
		fmt.Printf("\n(%v behind byte %d)\n", blocked.Decision.Ruling.Category, blocked.ByteBegin)
		if blocked.RetriesLeft == 0 || hold.Retry(ctx, blocked.ContinueByte) != nil {
			must(0, hold.Withdraw(ctx)) // what was shown stands
			break
		}
		answer = (kind + kind + "Farewell.\n")[blocked.ContinueByte:] // the model goes on from there
	}
	stats := must(hold.Stats())
	fmt.Printf("%d bytes shown, %d withdrawn\n", stats.ShownBytes, stats.WithdrawnBytes)
}
