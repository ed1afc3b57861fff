package main

import (
	"context"
	"strconv"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// A port as wharf says it.
type port struct {
	HostIP    *string `json:"host_ip"`
	Published *string `json:"published"`
	Target    uint32  `json:"target"`
	Protocol  string  `json:"protocol"`
}

type composed struct {
	Name      string            `json:"name"`
	Services  map[string][]port `json:"services"`
	Dormant   map[string][]port `json:"dormant"`
	Container map[string]string `json:"containers"`
}

// The ports of a compose project in this folder, loaded with the options of `docker compose`, in their order.
// `--profile NAME` asks for a profile, anything else is a file.
func ports(arguments []string) (any, error) {
	var files, profiles []string
	for at := 0; at < len(arguments); at++ {
		if arguments[at] == "--profile" && at+1 < len(arguments) {
			at++
			profiles = append(profiles, arguments[at])
			continue
		}
		files = append(files, arguments[at])
	}
	options, err := cli.NewProjectOptions(files,
		cli.WithOsEnv,
		cli.WithEnvFiles(),
		cli.WithDotEnv,
		cli.WithConfigFileEnv,
		cli.WithDefaultConfigPath,
		cli.WithEnvFiles(),
		cli.WithDotEnv,
		cli.WithDefaultProfiles(profiles...),
		cli.WithoutEnvironmentResolution,
	)
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	read := composed{project.Name, of(project.Services), of(project.DisabledServices), map[string]string{}}
	for _, service := range project.Services {
		if service.ContainerName != "" {
			read.Container[service.Name] = service.ContainerName
		}
	}
	return read, nil
}

func of(services types.Services) map[string][]port {
	all := map[string][]port{}
	for name, service := range services {
		all[name] = []port{}
		for _, one := range service.Ports {
			all[name] = append(all[name], port{said(one.HostIP), said(one.Published), one.Target, protocol(one)})
		}
	}
	return all
}

func said(text string) *string {
	if text == "" {
		return nil
	}
	if number, err := strconv.ParseUint(text, 10, 16); err == nil && number == 0 {
		return nil
	}
	return &text
}

func protocol(one types.ServicePortConfig) string {
	if one.Protocol == "" {
		return "tcp"
	}
	return one.Protocol
}
