module github.com/qwen3guard/qwen3guard/capi/bindings/go

go 1.21
