// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Where policies come from, and what they are on paper.
func TestPolicyDocuments(t *testing.T) {
	check(t, strings.Join(PolicyPresets(), " ") == "strict loose chat-game assistant", PolicyPresets())
	path := filepath.Join(t.TempDir(), "policy.json")
	var none *Policy
	for i, name := range append(PolicyPresets(), "") {
		preset := none
		if name != "" {
			var err error
			preset, err = PresetPolicy(name)
			need(t, err)
			defer preset.Close()
		}
		json, err := preset.JSON()
		need(t, err)
		words, err := preset.Describe()
		check(t, err == nil && strings.Contains(words, name), i, words, err)
		need(t, os.WriteFile(path, []byte(json), 0o600))
		loaded, err := LoadPolicy(path)
		need(t, err)
		defer loaded.Close()
		again, err := loaded.JSON()
		check(t, err == nil && again == json, again, json, err)
	}
	_, err := PresetPolicy("kind")
	want(t, err, StatusInvalidArgument)
	check(t, strings.Contains(err.Error(), "chat-game"), err)
	need(t, os.WriteFile(path, []byte("{\n  \"schema\": 1,\n  \"modus\": \"strict\"\n}"), 0o600))
	_, err = LoadPolicy(path)
	want(t, err, StatusInvalidArgument)
	check(t, strings.Contains(err.Error(), "policy.json:3:") && strings.Contains(err.Error(), "modus"), err)
	_, err = LoadPolicy("no/such/file")
	want(t, err, StatusFileNotFound)
	for _, bad := range []string{"", "{", "\xff"} {
		_, err = ParsePolicy(bad)
		want(t, err, StatusInvalidArgument)
	}
}

// The model's severity stays, whatever the policy makes of it.
func TestClassifyByAPolicy(t *testing.T) {
	guard := load(t, "stream")
	off := &ClassifyOptions{Policy: policy(t, `"response": {"default": "off"}`)}
	verdict, err := guard.ClassifyResponse(ctx, "Hello", threat, off)
	check(t, err == nil && verdict.Severity == Unsafe && verdict.Ruling.Action == Allow, verdict, err)
	check(t, verdict.Ruling.Rule == RuleCategoryOff && verdict.Ruling.PolicyVersion == "7", verdict)
	results, err := guard.ClassifyBatch(ctx, [][]Message{{{User, "Hello"}, {Assistant, threat}}}, off)
	check(t, err == nil && results[0].Verdict.Ruling == verdict.Ruling, results, err)
	_, err = guard.ClassifyPrompt(ctx, "Hello", &ClassifyOptions{Thinking: 3})
	want(t, err, StatusInvalidArgument)
}

// Deciding a stored verdict again gives, bit for bit, what classifying under the policy gives.
func TestDecideAgain(t *testing.T) {
	guard := load(t, "gen")
	sharp := policy(t, `"prompt": {"default": {"flag_threshold": 0.2, "block_threshold": 0.6}, "temperature": 2}`)
	for _, rules := range []*Policy{nil, {}, sharp, policy(t, `"mode": "loose", "prompt": {"default": "flag"}`)} {
		for _, text := range []string{prompt, threat, story} {
			stored, err := guard.ClassifyPrompt(ctx, text, &ClassifyOptions{Policy: rules})
			need(t, err)
			wanted := stored.Ruling
			stored.Ruling, err = sharp.DecideVerdict(stored, "") // another one's is not looked at
			need(t, err)
			again, err := rules.DecideVerdict(stored, "")
			check(t, err == nil && again == wanted, again, wanted, err)
		}
	}
	tokens, err := load(t, "stream").ClassifyPrompt(ctx, threat, nil)
	need(t, err)
	ruling, err := sharp.DecideVerdict(tokens, "")
	want(t, err, StatusInvalidArgument)
	check(t, ruling == Ruling{}, ruling)
}

// A stream keeps a policy that is closed, and a call that runs with it.
func TestPolicyIsClosed(t *testing.T) {
	strict, err := PresetPolicy("strict")
	need(t, err)
	stream := open(t, load(t, "stream"), &StreamOptions{Policy: strict})
	strict.Close()
	strict.Close()
	_, err = stream.PushPrompt(ctx, "Hello!")
	need(t, err)
	decision, err := stream.Decision()
	check(t, err == nil && decision.Ruling.PolicyName == "strict", decision, err)

	guard := load(t, "gen")
	var wait sync.WaitGroup
	shared := policy(t, `"mode": "loose"`)
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				verdict, err := guard.ClassifyPrompt(ctx, prompt, &ClassifyOptions{Policy: shared})
				if errors.Is(err, StatusBadHandle) {
					return
				}
				if err != nil || verdict.Ruling.PolicyName != "test" {
					t.Error(verdict, err)
				}
			}
		}()
	}
	_, err = guard.ClassifyPrompt(ctx, story, &ClassifyOptions{Policy: shared})
	need(t, err)
	shared.Close()
	wait.Wait()
}

// Phrases decide before the model does, and are found across pieces.
func TestLists(t *testing.T) {
	rules := policy(t, `"lists": {"deny": ["blue moon", "zorblax"], "allow": ["zorblax museum"]}`)
	options := &ClassifyOptions{Policy: rules}
	for _, name := range []string{"gen", "stream"} {
		guard := load(t, name)
		text := "caf\u00e9: once in a Blue \u200bMOON"
		found, err := guard.ClassifyPrompt(ctx, text, options)
		need(t, err)
		ruling := found.Ruling
		check(t, found.Severity == NotJudged && ruling.Action == Block && ruling.Rule == RuleDenyList && ruling.Phrase == 0, found)
		check(t, text[ruling.ByteBegin:ruling.ByteEnd] == "Blue \u200bMOON", ruling)
		for _, kind := range []string{"The Zorblax museum is open.", "bluemoon, zorblaxes"} {
			found, err = guard.ClassifyPrompt(ctx, kind, options)
			check(t, err == nil && found.Ruling.Rule == RuleSafe, kind, found, err)
		}
	}
	guard := load(t, "gen")
	stored, err := guard.ClassifyPrompt(ctx, "zorblax", nil)
	need(t, err)
	again, err := rules.DecideVerdict(stored, "zorblax")
	check(t, err == nil && again.Rule == RuleDenyList && again.Phrase == 1, again, err)
	live := load(t, "stream")
	for size := 1; size < 8; size++ {
		stream := open(t, live, &StreamOptions{Policy: rules})
		_, err := stream.PushPrompt(ctx, "Hello!")
		need(t, err)
		for text := "Once in a blue moon. "; text != ""; text = text[min(size, len(text)):] {
			_, err = stream.PushText(ctx, text[:min(size, len(text))])
			need(t, err)
		}
		turn, err := stream.EndTurn(ctx)
		ruling := turn.Decision.Ruling
		check(t, err == nil && ruling.Rule == RuleDenyList && ruling.ByteBegin == 10 && ruling.ByteEnd == 19, size, ruling, err)
	}
}

// The worse of a message and its folded copy counts, and the worst of a long message's windows.
func TestCopiesAndWindows(t *testing.T) {
	disguised := strings.NewReplacer("a", "\u0430", "e", "\u0435", "o", "\u043e", "p", "\u0440").Replace(threat)
	copies := policy(t, `"lists": {"folding": {"confusables": true}, "judge_folded_copy": true}`)
	long := strings.Repeat("The bread rises in the warm oven. ", 200) + threat
	for _, name := range []string{"gen", "stream"} {
		guard := load(t, name)
		found, err := guard.ClassifyPrompt(ctx, disguised, &ClassifyOptions{Policy: copies})
		need(t, err)
		plain, err := guard.ClassifyPrompt(ctx, disguised, nil)
		need(t, err)
		folded, err := guard.ClassifyPrompt(ctx, threat, nil)
		need(t, err)
		check(t, found.Severity == max(plain.Severity, folded.Severity), found, plain, folded)
		check(t, folded.Severity == plain.Severity || found.OfFoldedCopy == (folded.Severity > plain.Severity), found)
		_, err = guard.OpenStream(&StreamOptions{Policy: copies})
		want(t, err, StatusInvalidArgument)

		small, err := Load(tiny(name), &GuardOptions{MaxContextTokens: 800})
		need(t, err)
		defer small.Close()
		_, err = small.ClassifyPrompt(ctx, long, nil)
		want(t, err, StatusContextFull)
		found, err = small.ClassifyPrompt(ctx, long, &ClassifyOptions{LongText: Some(LongTextWindows)})
		check(t, err == nil && found.Window != nil && found.Window.Windows > 2 && found.Severity != NotJudged, found, err)
	}
}
