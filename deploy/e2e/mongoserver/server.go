// Package mongoserver starts, for tests, a server that speaks MongoDB's wire
// protocol: a test comes in, an address goes out, and the server ends with the
// test. It must not know what is stored.
package mongoserver

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project is the Maven project of the server.
//
//go:embed pom.xml src
var project embed.FS

// startWithin bounds the start of the server.
const startWithin = 60 * time.Second

// Start returns the URI of an empty database: on the server that MONGODB_URI
// names, else on one of its own that keeps its data in memory. The database on a
// server that MONGODB_URI names is the caller's to drop.
func Start(tb testing.TB) (uri string) {
	tb.Helper()
	database := "hark_test_" + strings.ToLower(rand.Text()[:12])
	base := os.Getenv("MONGODB_URI")
	if base == "" {
		base = Launch(tb, "").URI()
	}
	u, err := url.Parse(base)
	if err != nil {
		tb.Fatalf("MONGODB_URI: %v", err)
	}
	u.Path = "/" + database
	return u.String()
}

// Server is a running server that a test may kill.
type Server struct {
	tb   testing.TB
	jar  string
	file string
	port string
	cmd  *exec.Cmd
	in   io.Closer
}

// Launch starts a server on a free port of its own. It keeps its data in the
// file, or in memory where that is empty; what it has acknowledged is in the
// file, as long as the machine does not fail.
func Launch(tb testing.TB, file string) *Server {
	tb.Helper()
	s := &Server{tb: tb, jar: build(tb), file: file, port: "0"}
	s.start()
	tb.Cleanup(s.Kill)
	return s
}

// URI is where the server is, without a database.
func (s *Server) URI() string { return "mongodb://127.0.0.1:" + s.port }

// Kill ends the server as SIGKILL does. It may be called again.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // says that it was killed
	_ = s.in.Close()
	s.cmd = nil
}

// Restart starts a killed server again at its old address, with what its file holds.
func (s *Server) Restart() {
	s.tb.Helper()
	s.start()
}

func (s *Server) start() {
	s.tb.Helper()
	args := []string{"-XX:+UseSerialGC", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-jar", s.jar, s.port}
	if s.file != "" {
		args = append(args, s.file)
	}
	// The test kills it: a context of the test would end before its cleanups.
	cmd := exec.Command("java", args...) //nolint:gosec,noctx // see above
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end is the server's, should the test be killed
	if err != nil {
		s.tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("start the MongoDB wire server: %v", err)
	}
	s.cmd, s.in = cmd, in
	late := time.AfterFunc(startWithin, func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	late.Stop()
	if err != nil {
		s.Kill()
		s.tb.Fatalf("the MongoDB wire server did not start: %v", err)
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		s.tb.Fatalf("the MongoDB wire server printed %q: %v", line, err)
	}
	s.port = u.Port()
}

// build returns the server's jar, made by Maven where it is not in the user's
// cache yet. Without Java or Maven the test is skipped, or fails if
// HARK_TEST_REQUIRE is "all".
func build(tb testing.TB) string {
	tb.Helper()
	require(tb, "java")
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	name := digest(tb)
	jar := filepath.Join(cache, "hark", "mongoserver-"+name+".jar")
	if _, err := os.Stat(jar); err == nil {
		return jar
	}
	require(tb, "mvn")
	dir := tb.TempDir()
	if err := os.CopyFS(dir, project); err != nil {
		tb.Fatal(err)
	}
	built := filepath.Join(dir, "target", "mongoserver-jar-with-dependencies.jar")
	for _, offline := range []bool{true, false} {
		args := []string{"-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "package"}
		if offline {
			args = append(args, "-o")
		}
		out, err := exec.CommandContext(tb.Context(), "mvn", args...).CombinedOutput() //nolint:gosec // our own arguments
		if err == nil {
			break
		}
		if strings.Contains(string(out), "COMPILATION ERROR") {
			tb.Fatalf("the MongoDB wire server does not compile:\n%s", out)
		}
		if !offline {
			missing(tb, "the MongoDB wire server could not be built by Maven: "+err.Error()+"\n"+string(out))
		}
	}
	keep(tb, built, jar)
	return jar
}

// keep puts a file in its place, whole.
func keep(tb testing.TB, from, to string) {
	tb.Helper()
	data, err := os.ReadFile(from) //nolint:gosec // made by build
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		tb.Fatal(err)
	}
	part := to + "." + rand.Text()
	if err := os.WriteFile(part, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(part, to); err != nil {
		tb.Fatal(err)
	}
}

// digest names the content of the project.
func digest(tb testing.TB) string {
	tb.Helper()
	sum := sha256.New()
	err := fs.WalkDir(project, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := project.ReadFile(path)
		sum.Write([]byte(path + "\x00"))
		sum.Write(data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

func require(tb testing.TB, program string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(tb, program+" is not installed, and MONGODB_URI names no server")
	}
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("HARK_TEST_REQUIRE") == "all" {
		tb.Fatalf("%s; HARK_TEST_REQUIRE=all", what)
	}
	tb.Skip("SKIPPED: " + what)
}
