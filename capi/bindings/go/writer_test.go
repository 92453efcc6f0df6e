// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestWriterAndPolicy(t *testing.T) {
	quick := policy(t, `"debounce": {"consecutive_tokens": 1}`)
	stream := open(t, load(t, "stream"), &StreamOptions{Policy: quick})
	_, err := stream.PushPrompt(ctx, "Hello!")
	need(t, err)
	asked, err := stream.PromptDecision()
	check(t, err == nil && asked.Action == Allow && asked.Ruling.PolicyName == "test", asked, err)
	n := 0
	writer := stream.Writer(ctx, func(Update) error { n++; return nil })
	_, err = io.CopyBuffer(writer, io.LimitReader(strings.NewReader(threat+threat), 1000), make([]byte, 20))
	check(t, errors.Is(err, ErrBlocked) && n > 1, err, n)
	decision, err := stream.Decision()
	check(t, err == nil && decision.Action == Block && decision.HasToken, decision, err)
	tokens, err := stream.Verdicts(0)
	need(t, err)
	again, err := quick.Decide(Assistant, tokens, false)
	check(t, err == nil && again.Position == decision.Position && tokens[len(tokens)-1].Action == Block, again, err)
	check(t, again.Ruling == decision.Ruling && again.Ruling.ByteBegin < again.Ruling.ByteEnd, again, decision)
	off, err := calm(t).Decide(Assistant, tokens, true)
	check(t, err == nil && off.Severity == Unsafe && off.Action == Allow && off.Ruling.Rule == RuleCategoryOff, off, err)
	check(t, errors.Is(writer.Close(), ErrBlocked))
	mine := errors.New("mine")
	need(t, stream.Reset())
	_, err = stream.PushPrompt(ctx, "Hello!")
	need(t, err)
	_, err = stream.Writer(ctx, func(Update) error { return mine }).Write([]byte("x"))
	check(t, errors.Is(err, mine), err)
}

func judged(t *testing.T) *Stream {
	t.Helper()
	stream := open(t, load(t, "stream"), nil)
	_, err := stream.PushPrompt(ctx, "Hello!")
	need(t, err)
	return stream
}

func TestWriterContract(t *testing.T) {
	stream := judged(t)
	writer := stream.Writer(ctx, nil)
	var copied bytes.Buffer
	both := io.MultiWriter(&copied, writer)
	n, err := fmt.Fprintf(both, "%s %d", "A fox,", 3)
	check(t, err == nil && n == 8 && copied.String() == "A fox, 3", n, err)
	// Every byte on its own, so that characters are split; the bytes stay as they are and may be used again.
	piece := make([]byte, 1)
	for i := range story {
		for j := i; j < len(story) && (j == i || story[j]&0xc0 == 0x80); j++ {
			piece[0] = story[j]
			n, err := both.Write(piece)
			check(t, n == 1 && err == nil && piece[0] == story[j], n, err)
		}
	}
	info, err := stream.Info()
	check(t, err == nil && int(info.TurnBytes) == copied.Len() && copied.String() == "A fox, 3"+story, info, err)
	n, err = writer.Write(nil)
	check(t, n == 0 && err == nil, n, err)
	n, err = judged(t).Writer(ctx, nil).Write([]byte("a\x00b"))
	check(t, n == 3 && err == nil, n, err)
	n, err = writer.Write([]byte("wrong \xff"))
	want(t, err, StatusInvalidUTF8)
	check(t, n == 0, n)
	need(t, writer.Close())
	n, err = writer.Write([]byte("x"))
	want(t, err, StatusInvalidArgument)
	check(t, n == 0, n)
	want(t, writer.Close(), StatusInvalidArgument)

	half := judged(t).Writer(ctx, nil)
	n, err = half.Write([]byte("\xe4\xbd"))
	check(t, n == 2 && err == nil, n, err)
	err = half.Close()
	check(t, errors.Is(err, ErrNotJudged) && strings.Contains(err.Error(), "bytes 0 to 2"), err)

	flagged := judged(t).Writer(ctx, nil)
	n, err = flagged.WriteString(threat)
	check(t, n == len(threat) && errors.Is(err, ErrBlocked) && len(err.Error()) > len(ErrBlocked.Error()), n, err)
	m, err := io.Copy(judged(t).Writer(ctx, nil), strings.NewReader(threat))
	check(t, m == int64(len(threat)) && errors.Is(err, ErrBlocked), m, err)
}
