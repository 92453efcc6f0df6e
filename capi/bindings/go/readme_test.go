// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"os"
	"strings"
	"testing"
)

// The README shows the example program, line for line, and a module has its own copy of the licence.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	need(t, err)
	program, err := os.ReadFile("examples/stream/main.go")
	need(t, err)
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, found := strings.Cut(block, "```")
	check(t, found && len(block) > 100, block)
	check(t, strings.Contains(strings.ReplaceAll(string(program), "\n\t", "\n"), block), "README.md and main.go differ")
	own, err := os.ReadFile("LICENSE")
	need(t, err)
	if project, err := os.ReadFile("../../../LICENSE"); err == nil {
		check(t, string(own) == string(project), "LICENSE is not the project's")
	}
}
