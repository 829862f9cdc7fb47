// OPA, in process: one module of Rego, a query that is prepared once.
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"postern/peers/protocol"
)

// One equality for each part that a rule names: the form that OPA's index of
// rules looks up.
func keys(rule *protocol.Rule, resource *protocol.Resource) []string {
	if resource.Path != "" {
		return []string{fmt.Sprintf("input.resource == %q", resource.Pattern)}
	}
	var terms []string
	for _, part := range []struct{ name, value string }{
		{"api", resource.API}, {"stage", resource.Stage}, {"method", resource.Method},
	} {
		if part.value != "" {
			terms = append(terms, fmt.Sprintf("input.%s == %q", part.name, part.value))
		}
	}
	return terms
}

// The pattern as it stands in the policy document: `*` crosses slashes there,
// which `**` does here.
func glob(resource *protocol.Resource) []string {
	pattern := strings.ReplaceAll(resource.Pattern, "*", "**")
	return []string{fmt.Sprintf("glob.match(%q, [\"/\"], input.resource)", pattern)}
}

func module(w *protocol.Workload, style string) string {
	var text strings.Builder
	text.WriteString("package peers\n\nimport rego.v1\n\ndefault allow := false\n")
	for r := range w.Rules {
		rule := &w.Rules[r]
		for i := range rule.Resources {
			terms := glob(&rule.Resources[i])
			if style == "keys" {
				terms = keys(rule, &rule.Resources[i])
			}
			if rule.Principal != "" {
				terms = append([]string{fmt.Sprintf("input.principal == %q", rule.Principal)}, terms...)
			}
			if len(rule.Ranges) > 0 {
				terms = append(terms,
					fmt.Sprintf("some range in [\"%s\"]", strings.Join(rule.Ranges, `", "`)),
					"net.cidr_contains(range, input.ip)")
			}
			text.WriteString("\nallow if {\n\t" + strings.Join(terms, "\n\t") + "\n}\n")
		}
	}
	return text.String()
}

// What the rules ask for, and nothing else.
func names(w *protocol.Workload, style string) []string {
	used := map[string]bool{}
	for _, rule := range w.Rules {
		used["principal"] = used["principal"] || rule.Principal != ""
		used["ip"] = used["ip"] || len(rule.Ranges) > 0
		for _, resource := range rule.Resources {
			whole := style == "globs" || resource.Path != ""
			used["resource"] = used["resource"] || whole
			used["api"] = used["api"] || !whole
			used["stage"] = used["stage"] || !whole && resource.Stage != ""
			used["method"] = used["method"] || !whole && resource.Method != ""
		}
	}
	var list []string
	for _, name := range []string{"principal", "resource", "api", "stage", "method", "ip"} {
		if used[name] {
			list = append(list, name)
		}
	}
	return list
}

func text(request *protocol.Request, name string) string {
	switch name {
	case "principal":
		return request.Principal
	case "resource":
		return request.Resource
	case "api":
		return request.API
	case "stage":
		return request.Stage
	case "method":
		return request.Method
	}
	return request.IP
}

func load(w *protocol.Workload, style string) (map[string]protocol.Decide, error) {
	ctx := context.Background()
	query, err := rego.New(rego.Query("data.peers.allow"),
		rego.Module("peers.rego", module(w, style))).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	asked := names(w, style)
	terms := make([]*ast.Term, len(asked))
	for i, name := range asked {
		terms[i] = ast.StringTerm(name)
	}
	// Compiled patterns are kept from one decision to the next, all of them.
	kept := cache.NewInterQueryValueCache(ctx, nil)
	input := func(request *protocol.Request) ast.Value {
		pairs := make([][2]*ast.Term, len(asked))
		for i, name := range asked {
			pairs[i] = [2]*ast.Term{terms[i], ast.StringTerm(text(request, name))}
		}
		return ast.NewObject(pairs...)
	}
	decide := func(value ast.Value) (bool, error) {
		result, err := query.Eval(ctx, rego.EvalParsedInput(value),
			rego.EvalInterQueryBuiltinValueCache(kept))
		return err == nil && result.Allowed(), err
	}
	inputs := make([]ast.Value, len(w.Requests))
	for i := range w.Requests {
		inputs[i] = input(&w.Requests[i])
	}
	return map[string]protocol.Decide{
		"texts":    func(i int) (bool, error) { return decide(input(&w.Requests[i])) },
		"prepared": func(i int) (bool, error) { return decide(inputs[i]) },
	}, nil
}

func main() {
	protocol.Run(protocol.Engine{
		Name: "OPA", Module: "github.com/open-policy-agent/opa", Styles: []string{"keys", "globs"},
		Load: load,
	})
}
