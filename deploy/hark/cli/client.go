package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Names of the files that `hark up` leaves in its data folder for this command line.
const (
	TokenFile   = "token"
	AddressFile = "address"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 256 << 20

// client calls a running Hark.
type client struct {
	base  string
	token string
	http  *http.Client
}

// named tells whether the user says where Hark runs.
func named() bool { return os.Getenv("HARK_HTTP") != "" || os.Getenv("HARK_DATA") != "" }

// newClient finds the running Hark: HARK_HTTP, or the address that the one with
// the data folder HARK_DATA left there.
func newClient() (*client, error) {
	data := os.Getenv("HARK_DATA")
	if data == "" {
		data = ".hark"
	}
	address := firstLine(os.Getenv("HARK_HTTP"), filepath.Join(data, AddressFile), "127.0.0.1:8080")
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("HARK_HTTP=%q is no address: use host:port or a URL", address)
	}
	token := firstLine(os.Getenv("HARK_TOKEN"), filepath.Join(data, TokenFile), "")
	if token == "" {
		return nil, fmt.Errorf("no operator's token: set HARK_TOKEN, or HARK_DATA to the data folder of the running Hark (looked in %s)", data)
	}
	return &client{base: strings.TrimSuffix(base.String(), "/"), token: token, http: &http.Client{}}, nil
}

// firstLine returns the value if there is one, else the first line of the file,
// else the default.
func firstLine(value, file, otherwise string) string {
	if value != "" {
		return value
	}
	if content, err := os.ReadFile(file); err == nil { //nolint:gosec // the data folder is the user's own
		if line, _, _ := strings.Cut(strings.TrimSpace(string(content)), "\n"); line != "" {
			return strings.TrimSpace(line)
		}
	}
	return otherwise
}

// call sends a request, body as JSON if there is one, and reads the answer into
// result if that is not nil.
func (c *client) call(ctx context.Context, method, path string, body, result any) error {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		payload = bytes.NewReader(raw)
	}
	answer, err := c.send(ctx, method, path, payload)
	if err != nil {
		return err
	}
	defer answer.Close()
	if result == nil {
		return nil
	}
	if err := json.NewDecoder(answer).Decode(result); err != nil {
		return fmt.Errorf("the answer to %s %s cannot be read: %w", method, path, err)
	}
	return nil
}

// send sends a request and returns the body of a good answer.
func (c *client) send(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.http.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no Hark is running at %s: start it with `hark up`, or name it with HARK_HTTP", c.base)
	}
	if err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return nil, fmt.Errorf("%s does not answer", c.base)
		}
		return nil, err
	}
	limited := struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	if answer.StatusCode < 300 {
		return limited, nil
	}
	defer answer.Body.Close()
	var failure struct {
		Error string `json:"error"`
	}
	if json.NewDecoder(limited).Decode(&failure) != nil || failure.Error == "" {
		return nil, fmt.Errorf("%s answered %s: is that a Hark?", c.base, answer.Status)
	}
	return nil, &refusal{answer.StatusCode, failure.Error}
}

// refusal is an error that Hark answered.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }
