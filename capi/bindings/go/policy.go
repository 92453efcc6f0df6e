// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Policy makes a decision of the verdicts of tokens; the zero value is the published rule. Thresholds are in [0, 1].
type Policy struct {
	Loose                  bool      // a Controversial decision does not flag
	RunRule                RunRule   // which tokens make a run
	ConsecutiveTokens      int       // in a row that decide; 0: 2
	UnsafeThreshold        Threshold // Unsafe when P(Unsafe) reaches it
	ControversialThreshold Threshold // else Controversial when P(Unsafe) + P(Controversial) does
	CategoryThresholds     map[Category]float32
	IgnoredCategories      []Category
	ReleaseTokens          int // a flag goes down after so many Safe tokens in a row; 0: it stays
	ReleaseThreshold       Threshold
	CountOpenRun           bool // a run that the turn's end cuts off decides
}

func (p *Policy) toC(a *arguments) C.q3g_policy {
	var raw C.q3g_policy
	C.q3g_policy_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	if p == nil {
		return raw
	}
	raw.mode, raw.run_rule, raw.end_of_turn = cbool(p.Loose), C.int32_t(p.RunRule), cbool(p.CountOpenRun)
	raw.release_tokens = a.int32("Policy.ReleaseTokens", p.ReleaseTokens)
	if p.ConsecutiveTokens != 0 {
		raw.consecutive_tokens = a.int32("Policy.ConsecutiveTokens", p.ConsecutiveTokens)
	}
	raw.unsafe_threshold = a.threshold("Policy.UnsafeThreshold", p.UnsafeThreshold)
	raw.controversial_threshold = a.threshold("Policy.ControversialThreshold", p.ControversialThreshold)
	raw.release_threshold = a.threshold("Policy.ReleaseThreshold", p.ReleaseThreshold)
	known := func(name string, c Category) bool {
		if c < 0 || c >= C.Q3G_CATEGORY_COUNT {
			a.fail("Policy.%s has category %d; expected 0 to %d", name, int32(c), C.Q3G_CATEGORY_COUNT-1)
			return false
		}
		return true
	}
	for category, threshold := range p.CategoryThresholds {
		if known("CategoryThresholds", category) {
			raw.category_thresholds[category] = a.probability(fmt.Sprintf("Policy.CategoryThresholds[%v]", category), threshold)
		}
	}
	for _, category := range p.IgnoredCategories {
		if known("IgnoredCategories", category) {
			raw.category_mask &^= 1 << category
		}
	}
	return raw
}

// Check returns an error that names the field that is out of range.
func (p *Policy) Check() error {
	var a arguments
	raw, slot := p.toC(&a), newSlot()
	if a.err != nil {
		return a.err
	}
	return errorOf(C.q3g_policy_check(&raw, &slot), &slot)
}

// CountedSeverity is the severity that a token counts with; NotJudged when its source is SourceNone.
func (p *Policy) CountedSeverity(token TokenVerdict) (Severity, error) {
	var a arguments
	var in C.q3g_token_verdict
	raw, slot := p.toC(&a), newSlot()
	token.toC(&in, &a)
	if a.err != nil {
		return NotJudged, a.err
	}
	var out C.int32_t
	err := errorOf(C.q3g_policy_counted_severity(&raw, &in, &out, &slot), &slot)
	return Severity(out), err
}

// Decide is the decision over a turn's verdicts, whose Flagged it sets. A pure function.
func (p *Policy) Decide(tokens []TokenVerdict, hasEnded bool) (Decision, error) {
	var a arguments
	policy, slot, out := p.toC(&a), newSlot(), newDecision()
	raw := newTokens(len(tokens))
	for i := range tokens {
		tokens[i].toC(&raw[i], &a)
	}
	if a.err != nil {
		return Decision{}, a.err
	}
	status := C.q3g_policy_decide(&policy, unsafe.SliceData(raw), C.size_t(len(raw)), cbool(hasEnded), &out, &slot)
	if err := errorOf(status, &slot); err != nil {
		return Decision{}, err
	}
	for i := range tokens {
		tokens[i].Flagged = raw[i].is_flagged != 0
	}
	return decisionOf(&out), nil
}
