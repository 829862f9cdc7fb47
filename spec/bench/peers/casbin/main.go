// Casbin: a row for each resource and range of a rule, and a matcher.
package main

import (
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"postern/peers/protocol"
)

const effect = "some(where (p.eft == allow))"

// A column of the rows: its name, the test of the matcher, and what of a rule
// and of a request stands in it. The cheapest test that fails most stands first.
type column struct {
	name, test string
	rule       func(rule *protocol.Rule, resource *protocol.Resource) string
	request    func(request *protocol.Request) string
}

func star(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

func orStar(name string) string {
	return "(p." + name + ` == "*" || r.` + name + " == p." + name + ")"
}

var (
	subject = column{"sub", orStar("sub"),
		func(rule *protocol.Rule, _ *protocol.Resource) string { return star(rule.Principal) },
		func(request *protocol.Request) string { return request.Principal }}
	exactSubject = column{"sub", "r.sub == p.sub", subject.rule, subject.request}
	exactObject  = column{"obj", "r.obj == p.obj", object.rule, object.request}
	object       = column{"obj", "keyMatch(r.obj, p.obj)",
		func(_ *protocol.Rule, resource *protocol.Resource) string { return resource.Pattern },
		func(request *protocol.Request) string { return request.Resource }}
	api = column{"api", "r.api == p.api",
		func(_ *protocol.Rule, resource *protocol.Resource) string { return resource.API },
		func(request *protocol.Request) string { return request.API }}
	stage = column{"stage", orStar("stage"),
		func(_ *protocol.Rule, resource *protocol.Resource) string { return star(resource.Stage) },
		func(request *protocol.Request) string { return request.Stage }}
	method = column{"method", orStar("method"),
		func(_ *protocol.Rule, resource *protocol.Resource) string { return star(resource.Method) },
		func(request *protocol.Request) string { return request.Method }}
)

// The ranges come last: a row has one of them.
func columnsOf(w *protocol.Workload, style string) []column {
	someone, whole, staged, methods := false, true, false, false
	for _, rule := range w.Rules {
		someone = someone || rule.Principal != ""
		for _, resource := range rule.Resources {
			whole = whole && resource.Path != ""
			staged = staged || resource.Stage != ""
			methods = methods || resource.Method != ""
		}
	}
	var columns []column
	switch {
	case style == "globs":
		columns = append(columns, object)
	case whole:
		columns = append(columns, exactObject)
	default:
		columns = append(columns, api)
		if staged {
			columns = append(columns, stage)
		}
		if methods {
			columns = append(columns, method)
		}
	}
	if someone && whole && style == "keys" {
		columns = append(columns, exactSubject)
	} else if someone {
		columns = append(columns, subject)
	}
	return columns
}

func enforcerOf(w *protocol.Workload, columns []column) (*casbin.Enforcer, error) {
	var names, tests []string
	for _, each := range columns {
		names, tests = append(names, each.name), append(tests, each.test)
	}
	if w.Ranged() {
		names, tests = append(names, "ip"), append(tests, "ipMatch(r.ip, p.ip)")
	}
	m := model.NewModel()
	m.AddDef("r", "r", strings.Join(names, ", "))
	m.AddDef("p", "p", strings.Join(names, ", "))
	m.AddDef("e", "e", effect)
	m.AddDef("m", "m", strings.Join(tests, " && "))
	enforcer, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for r := range w.Rules {
		rule := &w.Rules[r]
		for i := range rule.Resources {
			var row []string
			for _, each := range columns {
				row = append(row, each.rule(rule, &rule.Resources[i]))
			}
			if len(rule.Ranges) == 0 {
				rows = append(rows, row)
			}
			for _, cidr := range rule.Ranges {
				rows = append(rows, append(append([]string{}, row...), cidr))
			}
		}
	}
	_, err = enforcer.AddPolicies(rows)
	return enforcer, err
}

func load(w *protocol.Workload, style string) (map[string]protocol.Decide, error) {
	columns := columnsOf(w, style)
	enforcer, err := enforcerOf(w, columns)
	if err != nil {
		return nil, err
	}
	ranged := w.Ranged()
	return map[string]protocol.Decide{
		"texts": func(i int) (bool, error) {
			request := &w.Requests[i]
			values := make([]interface{}, 0, 8)
			for _, each := range columns {
				values = append(values, each.request(request))
			}
			if ranged {
				values = append(values, request.IP)
			}
			return enforcer.Enforce(values...)
		},
	}, nil
}

func main() {
	protocol.Run(protocol.Engine{
		Name: "Casbin", Module: "github.com/casbin/casbin/v2", Styles: []string{"keys", "globs"},
		Load: load,
	})
}
