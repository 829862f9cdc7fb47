// Package protocol is what the peers written in Go have in common: they read a
// workload, answer all of its requests, and time rounds of decisions, as lines on
// standard input ask; see README.md.
package protocol

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Resource is what a rule lets somebody reach. A part that is empty may be
// anything, and so may all parts behind it; Pattern says the same as an ARN.
type Resource struct {
	Pattern, API, Stage, Method, Path string
}

// Rule says who may call what from where. An empty Principal is everybody, no
// Ranges are everywhere.
type Rule struct {
	Principal string
	Resources []Resource
	Ranges    []string
}

// Request is one call, whole and in parts.
type Request struct {
	Principal, Action, Resource, API, Stage, Method, Path, IP string
}

// Workload is one file.
type Workload struct {
	Name, Family, Prefix string
	Size                 int
	Policies             []json.RawMessage
	Rules                []Rule
	Requests             []Request
}

// Ranged says whether any rule asks for the caller's address.
func (w *Workload) Ranged() bool {
	for _, rule := range w.Rules {
		if len(rule.Ranges) > 0 {
			return true
		}
	}
	return false
}

// Decide answers the request of that number.
type Decide func(request int) (bool, error)

// Engine is a peer. Load makes its policies and answers how requests are
// decided: "texts", from the texts of a request to the decision, and, where the
// engine knows such a thing, "prepared", with a request made beforehand.
type Engine struct {
	Name   string
	Module string // whose version is told
	Styles []string
	Load   func(w *Workload, style string) (map[string]Decide, error)
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return "unknown"
}

func cpu() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

type session struct {
	engine   Engine
	style    string
	workload *Workload
	forms    map[string]Decide
}

func (s *session) load(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s.workload, s.forms = &Workload{}, nil
	runtime.GC() // what the last workload held is not this one's cost
	if err := json.Unmarshal(text, s.workload); err != nil {
		return "", err
	}
	s.forms, err = s.engine.Load(s.workload, s.style)
	return "ok", err
}

func (s *session) answers(form string) (string, error) {
	decide := s.forms[form]
	if decide == nil {
		return "none", nil
	}
	var bits strings.Builder
	for i := range s.workload.Requests {
		allowed, err := decide(i)
		if err != nil {
			return "", err
		}
		if allowed {
			bits.WriteByte('1')
		} else {
			bits.WriteByte('0')
		}
	}
	return "answers " + bits.String(), nil
}

func (s *session) round(form string, count int) (string, error) {
	decide, requests := s.forms[form], len(s.workload.Requests)
	allowed := 0
	spent, start := cpu(), time.Now()
	for i := 0; i < count; i++ {
		yes, err := decide(i % requests)
		if err != nil {
			return "", err
		}
		if yes {
			allowed++
		}
	}
	wall := time.Since(start)
	return fmt.Sprintf("round %d %d %d", cpu()-spent, wall.Nanoseconds(), allowed), nil
}

func (s *session) answer(words []string) (string, error) {
	switch {
	case len(words) == 2 && words[0] == "load":
		return s.load(words[1])
	case len(words) == 2 && words[0] == "answers" && s.workload != nil:
		return s.answers(words[1])
	case len(words) == 3 && words[0] == "round" && s.forms[words[1]] != nil:
		count, err := strconv.Atoi(words[2])
		if err != nil {
			return "", err
		}
		return s.round(words[1], count)
	}
	return "", fmt.Errorf("cannot do %q", words)
}

// Run serves one engine until its input ends. The program's argument is the
// style its policies are written in.
func Run(engine Engine) {
	s := &session{engine: engine, style: engine.Styles[0]}
	if len(os.Args) > 1 {
		s.style = os.Args[1]
	}
	hello, _ := json.Marshal(map[string]string{
		"engine": engine.Name, "version": version(engine.Module), "runtime": runtime.Version(),
	})
	fmt.Println("hello " + string(hello))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		said, err := s.answer(strings.Fields(lines.Text()))
		if err != nil {
			said = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(said)
	}
}
