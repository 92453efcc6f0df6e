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
	guard := load(t, "nano-stream")
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
	guard := load(t, "nano-gen")
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
	tokens, err := load(t, "nano-stream").ClassifyPrompt(ctx, threat, nil)
	need(t, err)
	ruling, err := sharp.DecideVerdict(tokens, "")
	want(t, err, StatusInvalidArgument)
	check(t, ruling == Ruling{}, ruling)
}

// A stream keeps a policy that is closed, and a call that runs with it.
func TestPolicyIsClosed(t *testing.T) {
	strict, err := PresetPolicy("strict")
	need(t, err)
	stream := open(t, load(t, "nano-stream"), &StreamOptions{Policy: strict})
	strict.Close()
	strict.Close()
	_, err = stream.PushPrompt(ctx, "Hello!")
	need(t, err)
	decision, err := stream.Decision()
	check(t, err == nil && decision.Ruling.PolicyName == "strict", decision, err)

	guard := load(t, "nano-gen")
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
