package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestContainerfile: what the recipe of the container names is there, its Go is new enough
// for the module, and its two stages have the same C library. It builds nothing.
func TestContainerfile(t *testing.T) {
	data, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	var from, built []string
	joined := strings.ReplaceAll(string(data), "\\\n", "")
	for line := range strings.Lines(joined) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		args := strings.Fields(rest)
		switch word {
		case "", "#":
		case "FROM":
			from = append(from, args[0])
		case "COPY":
			for _, source := range args[:len(args)-1] {
				if strings.HasPrefix(source, "--from=") {
					break
				}
				if _, err := os.Stat(filepath.Join("..", source)); err != nil {
					t.Error(err)
				}
			}
		case "RUN":
			built = append(built, args...)
		case "WORKDIR", "ARG", "USER", "ENTRYPOINT":
		default:
			t.Errorf("no instruction is called %s: %s", word, line)
		}
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	needs := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	if len(from) != 2 || needs == nil || !strings.HasPrefix(from[0], "golang:"+needs[1]+"-") {
		t.Fatalf("it is built from %q, and go.mod says %q", from, needs)
	}
	_, release, _ := strings.Cut(from[0], "-")
	if from[1] != "debian:"+release+"-slim" {
		t.Errorf("it is built on %s and runs on %s", release, from[1])
	}
	if _, err := os.Stat("../jobs/sprint/main.go"); err != nil || !slices.Contains(built, "./jobs/sprint") {
		t.Errorf("the program is not what is built: %v, %q", err, built)
	}
}
