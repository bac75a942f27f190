package mongoserver_test

import (
	"net"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver"
)

func TestServerRestarts(t *testing.T) {
	s := mongoserver.Launch(t, filepath.Join(t.TempDir(), "db"))
	u, err := url.Parse(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	dial := func() error {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			return err
		}
		return c.Close()
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if dial() == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if err := dial(); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
