// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import "unsafe"

// Policy makes a decision of the verdicts of tokens; the zero value is the published rule. Thresholds are in [0, 1].
type Policy struct {
	Loose                  bool      // a Controversial decision does not flag
	ConsecutiveTokens      int       // that a severity must hold; 0: 2
	UnsafeThreshold        Threshold // Unsafe when P(Unsafe) reaches it
	ControversialThreshold Threshold // else Controversial when P(Unsafe) + P(Controversial) does
	CategoryThresholds     map[Category]float32
	IgnoredCategories      []Category
	ReleaseTokens          int // a flag goes down after so many Safe tokens in a row; 0: it stays
	ReleaseThreshold       Threshold
	CountOpenRun           bool // a run that the turn's end cuts off decides
}

func (p *Policy) toC() C.q3g_policy {
	var raw C.q3g_policy
	C.q3g_policy_init(&raw, C.size_t(unsafe.Sizeof(raw)))
	if p == nil {
		return raw
	}
	raw.mode, raw.end_of_turn, raw.release_tokens = cbool(p.Loose), cbool(p.CountOpenRun), C.int32_t(p.ReleaseTokens)
	if p.ConsecutiveTokens != 0 {
		raw.consecutive_tokens = C.int32_t(p.ConsecutiveTokens)
	}
	raw.unsafe_threshold, raw.controversial_threshold = p.UnsafeThreshold.raw(), p.ControversialThreshold.raw()
	raw.release_threshold = p.ReleaseThreshold.raw()
	for category, threshold := range p.CategoryThresholds {
		if category >= 0 && int(category) < len(raw.category_thresholds) {
			raw.category_thresholds[category] = C.float(threshold)
		}
	}
	for _, category := range p.IgnoredCategories {
		if category >= 0 && category < 32 {
			raw.category_mask &^= 1 << category
		}
	}
	return raw
}

// Check returns an error that names the field that is out of range.
func (p *Policy) Check() error {
	raw, slot := p.toC(), newSlot()
	return errorOf(C.q3g_policy_check(&raw, &slot), &slot)
}

// CountedSeverity is the severity that a token counts with.
func (p *Policy) CountedSeverity(token TokenVerdict) (Severity, error) {
	raw, slot := p.toC(), newSlot()
	var in C.q3g_token_verdict
	token.toC(&in)
	var out C.int32_t
	err := errorOf(C.q3g_policy_counted_severity(&raw, &in, &out, &slot), &slot)
	return Severity(out), err
}

// Decide is the decision over a turn's verdicts, whose Flagged it sets. A pure function.
func (p *Policy) Decide(tokens []TokenVerdict, hasEnded bool) (Decision, error) {
	policy, slot, out := p.toC(), newSlot(), newDecision()
	raw := newTokens(len(tokens))
	for i := range tokens {
		tokens[i].toC(&raw[i])
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
