// The judges of files that `wharf export` writes: the reference implementation of Docker Compose's files, and the
// types of Kubernetes and of its Gateway API, which take no field that they do not know.
//
//	handover compose FILE
//	handover k8s FILE
//	handover env FILE
//	handover ports [--profile NAME] [FILE...]
//
// Prints what was read as JSON; exit 1 with the reason where a file is not taken.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 2 || (len(os.Args) < 3 && os.Args[1] != "ports") {
		fail(fmt.Errorf("usage: handover compose|env|k8s|ports FILE..."))
	}
	var read any
	var err error
	switch os.Args[1] {
	case "compose":
		read, err = compose(os.Args[2:])
	case "ports":
		read, err = ports(os.Args[2:])
	case "env":
		read, err = dotenv.Read(os.Args[2])
	case "k8s":
		read, err = kubernetes(os.Args[2])
	default:
		err = fmt.Errorf("no judge is called %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	text, err := json.Marshal(read)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// As `docker compose config` reads it: schema, interpolation, normal form.
func compose(files []string) (any, error) {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithInterpolation(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func kubernetes(file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []any
	for number, document := range bytes.Split(text, []byte("\n---\n")) {
		read, err := object(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if read != nil {
			all = append(all, read)
		}
	}
	return all, nil
}

func object(document []byte) (any, error) {
	var kind meta.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	kinds := map[string]any{
		"v1 Namespace":                           &core.Namespace{},
		"v1 Service":                             &core.Service{},
		"apps/v1 Deployment":                     &apps.Deployment{},
		"networking.k8s.io/v1 Ingress":           &networking.Ingress{},
		"gateway.networking.k8s.io/v1 HTTPRoute": &gateway.HTTPRoute{},
	}
	name := kind.APIVersion + " " + kind.Kind
	if name == " " {
		return nil, nil
	}
	into, known := kinds[name]
	if !known {
		return nil, fmt.Errorf("there is no %q", name)
	}
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return into, names(into.(meta.Object))
}

// Names are labels, as the API server demands.
func names(object meta.Object) error {
	for _, name := range []string{object.GetName(), object.GetNamespace()} {
		if name == "" {
			continue
		}
		if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 {
			return fmt.Errorf("%q: %v", name, wrong)
		}
	}
	return nil
}
