package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// settings of `hark up`, each a flag, an environment variable HARK_<NAME> and a
// key of the configuration file; that is also the order in which they win.
type settings struct {
	data, mqtt, http, store, broker, source string
	insecure, testClock                     bool
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.data, "data", ".hark", "folder for everything that Hark keeps")
	f.StringVar(&s.mqtt, "mqtt", "127.0.0.1:1883", "where devices connect (port 0: any)")
	f.StringVar(&s.http, "http", "127.0.0.1:8080", "where operators connect (port 0: any)")
	f.StringVar(&s.store, "store", "", "mongodb://HOST/DATABASE; empty: a file in the data folder")
	f.StringVar(&s.broker, "broker", "", "URI of an external MQTT broker; empty: the built-in one")
	f.StringVar(&s.source, "source", "", "Hark's own source, to build Go skills against (default: the module above this folder)")
	f.BoolVar(&s.insecure, "insecure", false, "allow MQTT and HTTP without TLS on other than loopback addresses")
	f.BoolVar(&s.testClock, "test-clock", false, "let tests move the clock over the API (loopback only)")
	f.String("config", "", "YAML file with these settings")
	// The contract has it, and naming it is answered; offering it would be a lie.
	_ = f.MarkHidden("broker") // fails only for a flag that is not there
}

// load fills in what the command line did not say.
func (s *settings) load(c *cobra.Command) error {
	config := c.Flag("config").Value.String()
	if config == "" {
		config = os.Getenv("HARK_CONFIG")
	}
	file, err := readConfig(config)
	if err != nil {
		return err
	}
	var failed error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" || failed != nil {
			return
		}
		from, value := config, file[f.Name]
		if env := envName(f.Name); os.Getenv(env) != "" {
			from, value = env, os.Getenv(env)
		}
		if value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			failed = fmt.Errorf("%s: %s: %w", from, f.Name, err)
		}
	})
	for key := range file {
		if failed == nil && (key == "config" || c.Flags().Lookup(key) == nil) {
			failed = fmt.Errorf("%s: there is no setting %q: see `hark up --help`", config, key)
		}
	}
	if failed != nil {
		return failed
	}
	return s.check()
}

func envName(flag string) string {
	return "HARK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func readConfig(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("configuration %s is larger than %d bytes", path, maxConfig)
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	values := map[string]string{}
	if err := yaml.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return values, nil
}

func (s *settings) check() error {
	if s.store != "" && !strings.HasPrefix(s.store, "mongodb://") && !strings.HasPrefix(s.store, "mongodb+srv://") {
		return fmt.Errorf("--store %.20q: use mongodb://HOST/DATABASE, or leave it out for a file in the data folder", s.store)
	}
	if s.broker != "" {
		return errors.New("--broker: this version brings its own broker: leave --broker out")
	}
	s.http = strings.TrimSuffix(strings.TrimPrefix(s.http, "http://"), "/") // HARK_HTTP may be a URL, for the commands that call it
	for name, address := range map[string]string{"mqtt": s.mqtt, "http": s.http} {
		loopback, err := isLoopback(address)
		switch {
		case err != nil:
			return fmt.Errorf("--%s %q: %w", name, address, err)
		case loopback:
		case s.testClock:
			return fmt.Errorf("--%s %s: with --test-clock only loopback addresses are allowed", name, address)
		case !s.insecure:
			return fmt.Errorf("--%s %s: passwords would cross the network in the clear: use a loopback address, or --insecure if you mean it", name, address)
		}
	}
	return nil
}

func isLoopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, errors.New("use host:port, such as 127.0.0.1:1883")
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}
