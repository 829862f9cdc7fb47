// MinIO's evaluator of bucket policies. It knows resources of its own service
// alone, so an API is a bucket here, and the rest of the path an object.
package main

import (
	"encoding/json"
	"strings"

	"github.com/minio/pkg/v3/policy"

	"postern/peers/protocol"
)

type statement struct {
	Effect    string
	Principal map[string][]string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

type document struct {
	Version   string
	Statement []statement
}

func policyOf(w *protocol.Workload, rule *protocol.Rule) (*policy.BucketPolicy, error) {
	principal := rule.Principal
	if principal == "" {
		principal = "*"
	}
	made := statement{
		Effect: "Allow", Principal: map[string][]string{"AWS": {principal}},
		Action: []string{string(policy.GetObjectAction)},
	}
	for _, resource := range rule.Resources {
		made.Resource = append(made.Resource,
			policy.ResourceARNPrefix+strings.TrimPrefix(resource.Pattern, w.Prefix))
	}
	if len(rule.Ranges) > 0 {
		made.Condition = map[string]map[string][]string{"IpAddress": {"aws:SourceIp": rule.Ranges}}
	}
	text, err := json.Marshal(document{Version: policy.DefaultVersion, Statement: []statement{made}})
	if err != nil {
		return nil, err
	}
	read := &policy.BucketPolicy{}
	return read, json.Unmarshal(text, read)
}

func load(w *protocol.Workload, _ string) (map[string]protocol.Decide, error) {
	// One policy of many statements, as MinIO has one for a bucket. They are
	// read one by one, for reading looks for twins among them in quadratic time.
	all := policy.BucketPolicy{Version: policy.DefaultVersion}
	for i := range w.Rules {
		read, err := policyOf(w, &w.Rules[i])
		if err != nil {
			return nil, err
		}
		all.Statements = append(all.Statements, read.Statements...)
	}
	ranged := w.Ranged()
	args := func(request *protocol.Request) policy.BucketPolicyArgs {
		made := policy.BucketPolicyArgs{
			AccountName: request.Principal, Action: policy.GetObjectAction, BucketName: request.API,
			ObjectName: request.Stage + "/" + request.Method + "/" + request.Path,
		}
		if ranged {
			made.ConditionValues = map[string][]string{"SourceIp": {request.IP}}
		}
		return made
	}
	prepared := make([]policy.BucketPolicyArgs, len(w.Requests))
	for i := range w.Requests {
		prepared[i] = args(&w.Requests[i])
	}
	return map[string]protocol.Decide{
		"texts":    func(i int) (bool, error) { return all.IsAllowed(args(&w.Requests[i])), nil },
		"prepared": func(i int) (bool, error) { return all.IsAllowed(prepared[i]), nil },
	}, nil
}

func main() {
	protocol.Run(protocol.Engine{
		Name: "MinIO", Module: "github.com/minio/pkg/v3", Styles: []string{"document"}, Load: load,
	})
}
