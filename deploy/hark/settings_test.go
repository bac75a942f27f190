package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// load reads the settings of a command line, with the environment and the
// configuration file that are given, and nothing else.
func load(t *testing.T, args []string, env map[string]string, file string) (*settings, error) {
	t.Helper()
	s, c := &settings{}, &cobra.Command{Use: "up"}
	s.flags(c.Flags())
	c.Flags().VisitAll(func(f *pflag.Flag) { t.Setenv(envName(f.Name), "") })
	for _, name := range slices.Sorted(maps.Keys(env)) {
		t.Setenv(name, env[name])
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), "hark.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("HARK_CONFIG", path)
	}
	if err := c.ParseFlags(args); err != nil {
		return nil, err
	}
	return s, s.load(c)
}

type env = map[string]string

// Flags win over variables, variables over the file, the file over the defaults.
func TestSettingsWinInOrder(t *testing.T) {
	const file = "mqtt: 127.0.0.1:3\nhttp: 127.0.0.1:3\ndata: filed\ntest-clock: true\n"
	for name, c := range map[string]struct {
		args []string
		env  env
		file string
		want settings
	}{
		"defaults": {want: settings{data: ".hark", mqtt: "127.0.0.1:1883", http: "127.0.0.1:8080"}},
		"the file": {file: file, want: settings{data: "filed", mqtt: "127.0.0.1:3", http: "127.0.0.1:3", testClock: true}},
		"the environment": {
			env: env{"HARK_MQTT": "127.0.0.1:2", "HARK_HTTP": "localhost:2", "HARK_TEST_CLOCK": "false"}, file: file,
			want: settings{data: "filed", mqtt: "127.0.0.1:2", http: "localhost:2"},
		},
		"flags": {
			args: []string{"--mqtt", "127.0.0.1:1", "--data=here"}, env: env{"HARK_MQTT": "127.0.0.1:2", "HARK_DATA": "there"}, file: file,
			want: settings{data: "here", mqtt: "127.0.0.1:1", http: "127.0.0.1:3", testClock: true},
		},
		"a flag with the value of its default": {
			args: []string{"--mqtt", "127.0.0.1:1883", "--test-clock=false"}, file: file,
			want: settings{data: "filed", mqtt: "127.0.0.1:1883", http: "127.0.0.1:3"},
		},
		"empty is not set": {
			env: env{"HARK_DATA": ""}, file: "data:\nhttp: \"\"\n",
			want: settings{data: ".hark", mqtt: "127.0.0.1:1883", http: "127.0.0.1:8080"},
		},
		"an empty file":         {file: "# nothing\n", want: settings{data: ".hark", mqtt: "127.0.0.1:1883", http: "127.0.0.1:8080"}},
		"IPv6":                  {args: []string{"--mqtt", "[::1]:1883"}, want: settings{data: ".hark", mqtt: "[::1]:1883", http: "127.0.0.1:8080"}},
		"a URL that others use": {env: env{"HARK_HTTP": "http://127.0.0.1:9/"}, want: settings{data: ".hark", mqtt: "127.0.0.1:1883", http: "127.0.0.1:9"}},
		"every address, if it is meant": {
			args: []string{"--mqtt", ":1883", "--http", "0.0.0.0:80", "--insecure"},
			want: settings{data: ".hark", mqtt: ":1883", http: "0.0.0.0:80", insecure: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.args, c.env, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if *got != c.want {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

// What is wrong is refused, and the message says where it stands and what to do.
func TestBadSettingsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  env
		file string
		says []string
	}{
		"unknown key":             {file: "mqtts: 127.0.0.1:8883\n", says: []string{"hark.yaml", `"mqtts"`, "hark up --help"}},
		"config within a config":  {file: "config: other.yaml\n", says: []string{`"config"`}},
		"not YAML":                {file: "mqtt: [\n", says: []string{"hark.yaml"}},
		"not a mapping":           {file: "- mqtt\n", says: []string{"hark.yaml"}},
		"a list for a value":      {file: "mqtt: [a, b]\n", says: []string{"hark.yaml"}},
		"no truth value, in file": {file: "insecure: perhaps\n", says: []string{"hark.yaml", "insecure", "perhaps"}},
		"no truth value, in env":  {env: env{"HARK_TEST_CLOCK": "perhaps"}, says: []string{"HARK_TEST_CLOCK", "perhaps"}},
		"too large a file":        {file: "# " + strings.Repeat("x", maxConfig), says: []string{"larger than"}},
		"missing file":            {args: []string{"--config", "nowhere.yaml"}, says: []string{"nowhere.yaml"}},
		"no port":                 {args: []string{"--mqtt", "127.0.0.1"}, says: []string{"--mqtt", "host:port"}},
		"a URL for MQTT":          {args: []string{"--mqtt", "tcp://127.0.0.1:1883"}, says: []string{"--mqtt", "host:port"}},
		"every address":           {args: []string{"--mqtt", ":1883"}, says: []string{"--mqtt", "--insecure"}},
		"a public address":        {args: []string{"--http", "203.0.113.7:80"}, says: []string{"--http", "--insecure"}},
		"a name":                  {args: []string{"--http", "hark.example:80"}, says: []string{"--http", "--insecure"}},
		"a public test clock":     {args: []string{"--http", ":80", "--insecure", "--test-clock"}, says: []string{"--test-clock", "loopback"}},
		"another store":           {env: env{"HARK_STORE": "postgres://db"}, says: []string{"--store", "mongodb://"}},
		"another broker":          {args: []string{"--broker", "tcp://b:1883"}, says: []string{"--broker"}},
		"an unknown flag":         {args: []string{"--colour"}, says: []string{"colour"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.args, c.env, c.file)
			if err == nil {
				t.Fatalf("taken: %+v", *got)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// What a data folder keeps is the same at each start, also after a power cut
// that left the file empty.
func TestWhatADataFolderKeeps(t *testing.T) {
	data := t.TempDir()
	first, err := kept(data, "token")
	if err != nil || len(first) < 20 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := kept(data, "token"); err != nil || again != first {
		t.Errorf("%q, then %q, %v", first, again, err)
	}
	if other, err := kept(data, "id"); err != nil || other == first {
		t.Errorf("another is %q, %v", other, err)
	}
	path := filepath.Join(data, "token")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if again, err := kept(data, "token"); err != nil || len(again) < 20 || again == first {
		t.Errorf("after a power cut: %q, %v", again, err)
	}
	if _, err := kept(filepath.Join(data, "nowhere"), "token"); err == nil {
		t.Error("kept in a folder that is not there")
	}
}

// Hark's source may be named in any way that a shell takes; builds, which run
// elsewhere, get the whole path.
func TestSourceIsFoundHoweverItIsNamed(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(filepath.Dir(here))
	for _, named := range []string{"", root, root + "/", "../..", "../../", "../../deploy/.."} {
		if got, err := findSource(named); err != nil || got != root {
			t.Errorf("--source %q: %q, %v; want %q", named, got, err, root)
		}
	}
	for _, wrong := range []string{".", "nowhere", t.TempDir()} {
		if got, err := findSource(wrong); err == nil || !strings.Contains(err.Error(), "go.mod") {
			t.Errorf("--source %q: %q, %v", wrong, got, err)
		}
	}
}
