// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"os"
	"strings"
	"testing"
)

// Documents show the example programs, line for line, and a module has its own copy of the licence.
func TestDocuments(t *testing.T) {
	for document, example := range map[string]string{
		"README.md": "stream", "../../../docs/policy.md": "policy", "../../../docs/hold_back.md": "hold_back",
	} {
		shown, err := os.ReadFile(document)
		if document != "README.md" && os.IsNotExist(err) {
			continue // a module has its own folder alone
		}
		need(t, err)
		program, err := os.ReadFile("examples/" + example + "/main.go")
		need(t, err)
		_, block, _ := strings.Cut(string(shown), "```go\n")
		block, _, found := strings.Cut(block, "```")
		check(t, found && len(block) > 100, document, block)
		code := strings.ReplaceAll(string(program), "\n\t", "\n")
		check(t, strings.Contains(code, block), document, "differs from", example)
	}
	own, err := os.ReadFile("LICENSE")
	need(t, err)
	if project, err := os.ReadFile("../../../LICENSE"); err == nil {
		check(t, string(own) == string(project), "LICENSE is not the project's")
	}
}
