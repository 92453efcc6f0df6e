// SPDX-License-Identifier: Apache-2.0

// Reads manifests (YAML documents) from standard input, strictly, by Kubernetes' own types: a field that is not known, is
// there twice or has another type is an error. Prints each as a line of JSON. Kinds of others' resources have no type here and
// are only parsed; their names are arguments.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func decode(decoder runtime.Decoder, document []byte, untyped []string) error {
	var any map[string]any
	if err := yaml.UnmarshalStrict(document, &any); err != nil {
		return err
	}
	if any == nil {
		return nil // comments alone
	}
	kind, _ := any["kind"].(string)
	if !slices.Contains(untyped, kind) {
		if _, _, err := decoder.Decode(document, nil, nil); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	line, err := yaml.YAMLToJSON(document)
	fmt.Println(string(line))
	return err
}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yamlreader.NewYAMLReader(bufio.NewReader(os.Stdin))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = decode(decoder, document, os.Args[1:])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
