package bench

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// child is a process of this program that is measured.
type child struct {
	cmd     *exec.Cmd
	done    chan struct{}
	address map[string]string // what it printed before READY: "mqtt", "http"
}

var addresses = regexp.MustCompile(`(mqtt|http)  (?:http://)?(\S+)`)

// startChild runs this program with arguments and waits until it is ready.
func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this program itself
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(args, " "), err)
	}
	c := &child{cmd: cmd, done: make(chan struct{}), address: map[string]string{}}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		for _, m := range addresses.FindAllStringSubmatch(lines.Text(), -1) {
			if c.address[m[1]] == "" {
				c.address[m[1]] = m[2]
			}
		}
		if lines.Text() == "READY" {
			go func() {
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait() // however it ended, it has
				close(c.done)
			}()
			return c, nil
		}
	}
	err = cmd.Wait()
	return nil, fmt.Errorf("%s ended before it was ready (%w): %s", args[0], orNil(err), errs.String())
}

// kill ends it as a power cut would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

//go:embed testdata
var skillFolders embed.FS

// hark is a whole Hark on a data folder of its own.
type hark struct {
	*child

	token string
}

// startHark starts a Hark and deploys the benchmark's skills to it.
func startHark(ctx context.Context, dir string, args []string, out io.Writer) (*hark, error) {
	h, err := openHark(ctx, filepath.Join(dir, "data"), args)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(ctx, dir, out); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// openHark starts a Hark on a data folder, which may have been used before.
func openHark(ctx context.Context, data string, args []string) (*hark, error) {
	c, err := startChild(ctx, append([]string{"up", "--data", data, "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(data, "token")) //nolint:gosec // of the folder that this program made
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("read the operator's token: %w", err)
	}
	return &hark{child: c, token: strings.TrimSpace(string(token))}, nil
}

func (h *hark) prepare(ctx context.Context, dir string, out io.Writer) error {
	folders, err := fs.Sub(skillFolders, "testdata")
	if err != nil {
		return err
	}
	skills := filepath.Join(dir, "skills")
	if err := os.CopyFS(skills, folders); err != nil {
		return fmt.Errorf("write the benchmark's skills: %w", err)
	}
	for _, name := range []string{"echo", "tally"} {
		fmt.Fprintf(out, "deploying the skill %s\n", name)
		if err := h.command(ctx, "skill", "deploy", filepath.Join(skills, name)); err != nil {
			return err
		}
	}
	return nil
}

// command runs a command of this program against the Hark.
func (h *hark) command(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this program itself
	cmd.Env = append(os.Environ(), "HARK_HTTP="+h.address["http"], "HARK_TOKEN="+h.token)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// call calls Hark's API.
func (h *hark) call(ctx context.Context, method, path string, body, result any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+h.address["http"]+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+h.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxPacket)).Decode(result)
}

// addDevice makes a device, and its home if that is new.
func (h *hark) addDevice(ctx context.Context, home, name string) (login, error) {
	var l login
	err := h.call(ctx, http.MethodPost, "/api/v1/homes/"+home+"/devices", map[string]string{"device": name}, &l)
	if err != nil {
		return l, fmt.Errorf("add device %s/%s: %w", home, name, err)
	}
	return l, nil
}

// invocations is how many calls of the benchmark's skills Hark has stored.
func (h *hark) invocations(ctx context.Context) (int, error) {
	var rows []struct {
		Skill       string `json:"skill"`
		Invocations int    `json:"invocations"`
	}
	if err := h.call(ctx, http.MethodGet, "/api/v1/usage?by=skill", nil, &rows); err != nil {
		return 0, fmt.Errorf("read the usage: %w", err)
	}
	n := 0
	for _, r := range rows {
		if r.Skill == "echo" || r.Skill == "tally" {
			n += r.Invocations
		}
	}
	return n, nil
}

// readings is how many readings of a home Hark has stored.
func (h *hark) readings(ctx context.Context, home string) (int, error) {
	var answer struct {
		Count int `json:"count"`
	}
	if err := h.call(ctx, http.MethodGet, "/api/v1/homes/"+home+"/readings/count", nil, &answer); err != nil {
		return 0, fmt.Errorf("count the readings: %w", err)
	}
	return answer.Count, nil
}
