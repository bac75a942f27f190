package admin_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/admin"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/runtime"
	"github.com/hark-voice/hark/functions/sqlite"
)

const token = "an-operators-token-of-32-letters"

// desk is a Server on a real store, with releases that the test decides on.
type desk struct {
	*admin.Server

	t        testing.TB
	store    *sqlite.Store
	clock    *assistant.ManualClock
	releases *releases
	logs     *runtime.FileLogs
	mu       sync.Mutex
	revoked  []topic.Device
	notReady error
}

type releases struct {
	deploy func(ctx context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error)
	list   []release.Status
	err    error
}

func (r *releases) Deploy(ctx context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error) {
	return r.deploy(ctx, archive, progress)
}

func (r *releases) Test(ctx context.Context, archive io.Reader, progress func(release.Step)) (release.Tested, error) {
	live, err := r.deploy(ctx, archive, progress)
	return release.Tested{Skill: live.Skill, Version: live.Version, Sentences: 3, Answers: 2, Handlers: 1}, err
}

func (r *releases) Remove(_ context.Context, skill string) error {
	for i, s := range r.list {
		if s.Skill == skill {
			r.list = append(r.list[:i], r.list[i+1:]...)
			return nil
		}
	}
	return assistant.ErrNotFound
}

func (r *releases) Status(context.Context) ([]release.Status, error) { return r.list, r.err }

func newDesk(tb testing.TB, change ...func(*admin.Options)) *desk {
	tb.Helper()
	d := &desk{t: tb, clock: assistant.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), releases: &releases{}}
	var err error
	if d.store, err = sqlite.Open(tb.Context(), sqlite.Options{Path: filepath.Join(tb.TempDir(), "hark.db")}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.store.Close() })
	if d.logs, err = runtime.NewFileLogs(runtime.FileLogsOptions{Dir: tb.TempDir()}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.logs.Close() })
	o := admin.Options{
		Store: d.store, Releases: d.releases, Logs: d.logs, Explain: explainer(tb, d), Token: token, Version: "1.2.3", Clock: d.clock,
		MQTT: func() string { return "127.0.0.1:1883" },
		Revoked: func(device topic.Device) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.revoked = append(d.revoked, device)
		},
		Ready: func(context.Context) error { return d.notReady },
	}
	for _, c := range change {
		c(&o)
	}
	if d.Server, err = admin.New(o); err != nil {
		tb.Fatal(err)
	}
	return d
}

// request asks with the operator's token, and reads the answer into result.
func (d *desk) request(method, path, body string, result any) int {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if result != nil {
		if err := json.Unmarshal(w.Body.Bytes(), result); err != nil {
			d.t.Errorf("%s %s: %d %q: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

// refused is a request that must end in an error that says something.
func (d *desk) refused(method, path, body string, status int, says string) {
	d.t.Helper()
	var failure struct{ Error string }
	if got := d.request(method, path, body, &failure); got != status || !strings.Contains(failure.Error, says) {
		d.t.Errorf("%s %s %.60s: %d %q, want %d that says %q", method, path, body, got, failure.Error, status, says)
	}
	if len(failure.Error) > 1000 {
		d.t.Errorf("%s %s: an error of %d characters", method, path, len(failure.Error))
	}
}

// routes are all calls of the service, each with a request that it takes.
func routes() []struct{ method, path, body string } {
	return []struct{ method, path, body string }{
		{"GET", "/api/v1/version", ""},
		{"PUT", "/api/v1/homes/flat", `{"tz":"Europe/London","lang":"en"}`},
		{"POST", "/api/v1/homes/flat/devices", `{"device":"kitchen","area":"kitchen"}`},
		{"POST", "/api/v1/homes/flat/devices/kitchen/logins", ""},
		{"POST", "/api/v1/homes/flat/entities", `{"id":"light.sink","domain":"light","name":"sink light"}`},
		{"GET", "/api/v1/homes/flat/entities", ""},
		{"GET", "/api/v1/homes/flat/readings", ""},
		{"GET", "/api/v1/homes/flat/readings/count", ""},
		{"GET", "/api/v1/homes", ""},
		{"GET", "/api/v1/schedules", ""},
		{"GET", "/api/v1/skills", ""},
		{"POST", "/api/v1/skills", "archive"},
		{"POST", "/api/v1/trials", "archive"},
		{"POST", "/api/v1/explanations", `{"text":"make tea","home":"flat","device":"kitchen"}`},
		{"GET", "/api/v1/skills/tea/logs", ""},
		{"DELETE", "/api/v1/skills/tea", ""},
		{"GET", "/api/v1/usage", ""},
		{"GET", "/api/v1/turns", ""},
		{"GET", "/api/v1/turns/t1", ""},
		{"POST", "/api/v1/clock", `{"advance_ms":1000}`},
	}
}

// stocked is a desk on which each of the routes has something to answer with.
func stocked(t *testing.T) *desk {
	t.Helper()
	var d *desk
	d = newDesk(t, func(o *admin.Options) { o.Advance = func(by time.Duration) { d.clock.Advance(by) } })
	d.releases.list = []release.Status{{Skill: "tea", Version: "1"}}
	d.releases.deploy = func(context.Context, io.Reader, func(release.Step)) (assistant.LiveSkill, error) {
		return assistant.LiveSkill{Skill: "tea", Version: "1"}, nil
	}
	d.commit("t1", assistant.Invocation{})
	return d
}

// commit puts a turn of the home flat on the books, with an invocation of tea.
func (d *desk) commit(id string, made assistant.Invocation) {
	d.t.Helper()
	made.ID, made.Skill, made.Version, made.Outcome = id+".i0", "tea", "1", assistant.OutcomeOK
	made.Wall, made.MemoryMiB = 2*time.Millisecond, 64
	turn := &assistant.Turn{ID: id, Kind: assistant.KindUtterance, Home: "flat", Device: "kitchen", Text: "make tea", Received: d.clock.Now(), Invocations: []assistant.Invocation{made}}
	if err := d.store.Commit(d.t.Context(), &assistant.Commit{Turn: turn}); err != nil {
		d.t.Fatal(err)
	}
}

func TestEveryCallNeedsTheToken(t *testing.T) {
	d := stocked(t)
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer " + token + "x", "Bearer " + token[1:], "Basic " + token, token} {
		for _, c := range append(routes(), struct{ method, path, body string }{"GET", "/api/v1/nothing", ""}) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Header.Set("Authorization", authorization)
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "HARK_TOKEN") || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s with %q: %d %s", c.method, c.path, authorization, w.Code, w.Body)
			}
		}
	}
	if homes, err := d.store.Homes(t.Context()); err != nil || len(homes) != 0 {
		t.Errorf("homes %+v, %v", homes, err)
	}
	for _, c := range routes() {
		if status := d.request(c.method, c.path, c.body, nil); status != http.StatusOK {
			t.Errorf("%s %s with the token: %d", c.method, c.path, status)
		}
	}
}

func TestWhatIsNoCallIsNotFound(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/v1/nothing"}, {"GET", "/api/v2/homes"}, {"DELETE", "/api/v1/homes"}, {"POST", "/api/v1/homes/flat"}, {"GET", "/api/"},
	} {
		d.refused(c.method, c.path, "", http.StatusNotFound, "no such call")
	}
}

func TestHealthIsOpen(t *testing.T) {
	d := newDesk(t)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := get(path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	d.notReady = errors.New("no skill is deployed")
	if status, body := get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no skill is deployed") {
		t.Errorf("not ready: %d %s", status, body)
	}
	if status, _ := get("/livez"); status != http.StatusOK {
		t.Errorf("alive, though not ready: %d", status)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	d := stocked(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/api/v1/homes/flat", ``, 400, "JSON"},
		{"PUT", "/api/v1/homes/flat", `{"tz":`, 400, "JSON"},
		{"PUT", "/api/v1/homes/flat", `[]`, 400, "JSON"},
		{"PUT", "/api/v1/homes/flat", `{"timezone":"UTC"}`, 400, "timezone"},
		{"PUT", "/api/v1/homes/flat", `{"tz":5}`, 400, "tz"},
		{"PUT", "/api/v1/homes/flat", `{} {}`, 400, "follows"},
		{"PUT", "/api/v1/homes/flat", `{"tz":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "65536"},
		{"PUT", "/api/v1/homes/flat", `{"tz":"` + strings.Repeat("x", 60<<10) + `"}`, 400, "time zone"},
		{"PUT", "/api/v1/homes/flat", `{"tz":"Mars/Olympus"}`, 400, "Asia/Shanghai"},
		{"PUT", "/api/v1/homes/flat", `{"tz":"../../etc/passwd"}`, 400, "time zone"},
		{"PUT", "/api/v1/homes/flat", `{"tz":"Local"}`, 400, "time zone"},
		{"PUT", "/api/v1/homes/flat", `{"lang":"not a language"}`, 400, "BCP 47"},
		{"PUT", "/api/v1/homes/flat", `{"lang":"` + strings.Repeat("en-", 10<<10) + `"}`, 400, "BCP 47"},
		{"PUT", "/api/v1/homes/Flat", `{}`, 400, "a-z"},
		{"PUT", "/api/v1/homes/fl%2Fat", `{}`, 400, "a-z"},
		{"PUT", "/api/v1/homes/" + strings.Repeat("x", 64), `{}`, 400, "longer"},
		{"POST", "/api/v1/homes/flat/devices", `{}`, 400, "missing"},
		{"POST", "/api/v1/homes/flat/devices", `{"device":"a/b"}`, 400, "a-z"},
		{"POST", "/api/v1/homes/flat/devices", `{"device":"#"}`, 400, "a-z"},
		{"POST", "/api/v1/homes/+/devices", `{"device":"a"}`, 400, "a-z"},
		{"POST", "/api/v1/homes/flat/devices", `{"device":"a","area":"` + strings.Repeat("x", 65) + `"}`, 400, "area"},
		{"POST", "/api/v1/homes/flat/devices", `{"device":"a","lang":"!"}`, 400, "BCP 47"},
		{"POST", "/api/v1/homes/flat/devices/nobody/logins", ``, 404, "hark device add"},
		{"DELETE", "/api/v1/skills/soup", ``, 404, "hark skill list"},
		{"GET", "/api/v1/skills/tea/logs?lines=0", ``, 400, "1 to 10000"},
		{"GET", "/api/v1/skills/tea/logs?lines=10001", ``, 400, "1 to 10000"},
		{"GET", "/api/v1/skills/tea/logs?lines=many", ``, 400, "1 to 10000"},
		{"GET", "/api/v1/skills/..%2F..%2Fetc/logs", ``, 400, "a-z"},
		{"GET", "/api/v1/usage?by=color", ``, 400, "skill, version or home"},
		{"GET", "/api/v1/usage?from=yesterday", ``, 400, "milliseconds"},
		{"GET", "/api/v1/usage?to=1e9", ``, 400, "milliseconds"},
		{"GET", "/api/v1/turns?last=0", ``, 400, "1 to 1000"},
		{"GET", "/api/v1/turns?last=1001", ``, 400, "1 to 1000"},
		{"GET", "/api/v1/turns/nothing", ``, 404, "hark trace"},
		{"POST", "/api/v1/clock", `{"advance_ms":0}`, 400, "advance_ms"},
		{"POST", "/api/v1/clock", `{"advance_ms":-5}`, 400, "advance_ms"},
		{"POST", "/api/v1/clock", `{"advance_ms":9223372036854775807}`, 400, "advance_ms"},
		{"POST", "/api/v1/clock", `{"advance_ms":1.5}`, 400, "JSON"},
	} {
		d.refused(c.method, c.path, c.body, c.status, c.says)
	}
	if homes, err := d.store.Homes(t.Context()); err != nil || len(homes) != 0 {
		t.Errorf("a request that was refused made %+v, %v", homes, err)
	}
	if !d.clock.Now().Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Error("a request that was refused moved the clock")
	}
}

func TestHomesAreMadeAndChanged(t *testing.T) {
	d := newDesk(t)
	var home assistant.Home
	for _, c := range []struct {
		body string
		want assistant.Home
	}{
		{`{}`, assistant.Home{ID: "flat", Zone: "UTC", Lang: "en"}},
		{`{"tz":"Asia/Shanghai"}`, assistant.Home{ID: "flat", Zone: "Asia/Shanghai", Lang: "en"}},
		{`{"lang":"zh_cn"}`, assistant.Home{ID: "flat", Zone: "Asia/Shanghai", Lang: "zh-CN"}},
	} {
		if status := d.request("PUT", "/api/v1/homes/flat", c.body, &home); status != 200 || home != c.want {
			t.Errorf("%s: %d %+v, want %+v", c.body, status, home, c.want)
		}
	}
	var login admin.Login
	d.request("POST", "/api/v1/homes/attic/devices", `{"device":"lamp"}`, &login)
	var homes []struct {
		assistant.Home

		Devices []assistant.Device `json:"devices"`
	}
	d.request("GET", "/api/v1/homes", "", &homes)
	if len(homes) != 2 || homes[0].ID != "attic" || len(homes[0].Devices) != 1 || homes[0].Devices[0].ID != "lamp" || homes[1].Devices == nil {
		t.Errorf("homes %+v", homes)
	}
}

func TestADeviceIsMadeOnceAndRotated(t *testing.T) {
	d := newDesk(t)
	var first, second admin.Login
	add := func(options string, result any) int {
		return d.request("POST", "/api/v1/homes/flat/devices", `{"device":"kitchen"`+options+`}`, result)
	}
	if status := add(`,"area":"kitchen","lang":"zh-cn"`, &first); status != 200 || first.Username != "flat/kitchen" || first.Home != "flat" || first.Device != "kitchen" {
		t.Fatalf("%d %+v", status, first)
	}
	d.holds("flat", "kitchen", first.Password)
	d.refused("POST", "/api/v1/homes/flat/devices", `{"device":"kitchen"}`, http.StatusConflict, "--rotate")
	d.holds("flat", "kitchen", first.Password)
	if len(d.revoked) != 1 {
		t.Errorf("revoked %v", d.revoked)
	}
	if status := add(`,"rotate":true`, &second); status != 200 || second.Password == first.Password || len(second.Password) < 26 {
		t.Fatalf("%d %+v", status, second)
	}
	d.holds("flat", "kitchen", second.Password)
	if len(d.revoked) != 2 || d.revoked[1] != (topic.Device{Home: "flat", ID: "kitchen"}) {
		t.Errorf("revoked %v", d.revoked)
	}
	device, err := d.store.Device(t.Context(), "flat", "kitchen")
	if err != nil || device.Area != "kitchen" || device.Lang != "zh-CN" {
		t.Errorf("after the rotation: %+v, %v", device, err)
	}
	if add(`,"rotate":true,"area":"hall"`, nil) != 200 {
		t.Error("not rotated")
	}
	if device, err := d.store.Device(t.Context(), "flat", "kitchen"); err != nil || device.Area != "hall" || device.Lang != "zh-CN" {
		t.Errorf("after it was moved: %+v, %v", device, err)
	}
}

// holds fails unless the device's lasting credential is exactly that of the password.
func (d *desk) holds(home, device, password string) {
	d.t.Helper()
	list, err := d.store.Credentials(d.t.Context(), topic.Device{Home: home, ID: device})
	if err != nil || len(list) != 1 || list[0].Hash != sha256.Sum256([]byte(password)) || !list[0].Expires.IsZero() {
		d.t.Errorf("credentials %+v, %v", list, err)
	}
}

func TestOneOfManyMakesTheDevice(t *testing.T) {
	d := newDesk(t)
	var wait sync.WaitGroup
	passwords := make(chan string, 16)
	for range 16 {
		wait.Go(func() {
			login, err := d.AddDevice(t.Context(), "flat", assistant.Device{ID: "kitchen"}, false)
			if err == nil {
				passwords <- login.Password
			}
		})
	}
	wait.Wait()
	if len(passwords) != 1 {
		t.Fatalf("%d were told that they made it", len(passwords))
	}
	d.holds("flat", "kitchen", <-passwords)
}

// A change of a home is not undone by a device that is added at the same time.
func TestChangesAtTheSameTimeAllCount(t *testing.T) {
	d := newDesk(t)
	for i := range 20 {
		home := fmt.Sprint("home", i)
		var wait sync.WaitGroup
		for _, c := range []struct{ method, path, body string }{
			{"PUT", home, `{"tz":"Asia/Shanghai"}`},
			{"PUT", home, `{"lang":"zh-CN"}`},
			{"POST", home + "/devices", `{"device":"kitchen"}`},
		} {
			wait.Go(func() { d.request(c.method, "/api/v1/homes/"+c.path, c.body, nil) })
		}
		wait.Wait()
		if got, err := d.store.Home(t.Context(), home); err != nil || got.Zone != "Asia/Shanghai" || got.Lang != "zh-CN" {
			t.Fatalf("the home is %+v, %v", got, err)
		}
	}
}

func TestALentLoginIsForAMinute(t *testing.T) {
	d := newDesk(t)
	own, err := d.AddDevice(t.Context(), "flat", assistant.Device{ID: "kitchen"}, false)
	if err != nil {
		t.Fatal(err)
	}
	var lent struct {
		admin.Login

		MQTT string `json:"mqtt"`
	}
	if status := d.request("POST", "/api/v1/homes/flat/devices/kitchen/logins", "", &lent); status != 200 || lent.MQTT != "127.0.0.1:1883" || lent.Username != own.Username || lent.Password == own.Password {
		t.Fatalf("%d %+v", status, lent)
	}
	list, err := d.store.Credentials(t.Context(), topic.Device{Home: "flat", ID: "kitchen"})
	if err != nil || len(list) != 2 {
		t.Fatalf("credentials %+v, %v", list, err)
	}
	for _, c := range list {
		switch c.Hash {
		case sha256.Sum256([]byte(own.Password)):
			if !c.Expires.IsZero() {
				t.Errorf("the device's own expires at %s", c.Expires)
			}
		case sha256.Sum256([]byte(lent.Password)):
			if !c.Expires.Equal(d.clock.Now().Add(time.Minute)) {
				t.Errorf("the one that is lent expires at %s", c.Expires)
			}
		default:
			t.Error("a credential of neither")
		}
	}
	if len(d.revoked) != 1 {
		t.Errorf("lending ended connections: %v", d.revoked)
	}
}

func TestUsageIsAskedFor(t *testing.T) {
	d := newDesk(t)
	d.commit("t1", assistant.Invocation{Cold: true})
	d.clock.Advance(time.Hour)
	at := d.clock.Now().UnixMilli()
	d.commit("t2", assistant.Invocation{})
	for query, want := range map[string]struct {
		rows, invocations, cold int
		skill, version, home    string
	}{
		"":                              {1, 2, 1, "tea", "", ""},
		"?by=skill":                     {1, 2, 1, "tea", "", ""},
		"?by=version":                   {1, 2, 1, "tea", "1", ""},
		"?by=home":                      {1, 2, 1, "", "", "flat"},
		fmt.Sprint("?from=", at):        {1, 1, 0, "tea", "", ""},
		fmt.Sprint("?to=", at):          {1, 1, 1, "tea", "", ""},
		fmt.Sprint("?from=", at+1):      {},
		"?from=-9223372036854775808":    {1, 2, 1, "tea", "", ""},
		"?to=9223372036854775807":       {1, 2, 1, "tea", "", ""},
		fmt.Sprint("?from=5&to=", at+1): {1, 2, 1, "tea", "", ""},
	} {
		var rows []struct {
			Skill, Version, Home string
			Invocations          int
			ColdStarts           int `json:"cold_starts"`
			WallMS               int `json:"wall_ms"`
		}
		if status := d.request("GET", "/api/v1/usage"+query, "", &rows); status != 200 || rows == nil || len(rows) != want.rows {
			t.Errorf("%q: %d %+v", query, status, rows)
			continue
		}
		if want.rows == 0 {
			continue
		}
		r := rows[0]
		if r.Invocations != want.invocations || r.ColdStarts != want.cold || r.WallMS != 2*want.invocations || r.Skill != want.skill || r.Version != want.version || r.Home != want.home {
			t.Errorf("%q: %+v, want %+v", query, r, want)
		}
	}
}

func TestTurnsAndSchedulesAreListed(t *testing.T) {
	d := newDesk(t)
	for path, what := range map[string]string{"turns": "", "schedules": "", "skills": "", "homes": ""} {
		var raw json.RawMessage
		if d.request("GET", "/api/v1/"+path, what, &raw); strings.TrimSpace(string(raw)) != "[]" {
			t.Errorf("%s of nothing: %s", path, raw)
		}
	}
	for i := range 25 {
		d.commit(fmt.Sprint("turn", i), assistant.Invocation{})
		d.clock.Advance(time.Second)
	}
	var turns []assistant.Turn
	if d.request("GET", "/api/v1/turns", "", &turns); len(turns) != 20 || turns[0].ID != "turn24" {
		t.Errorf("%d turns, the first %+v", len(turns), turns[0])
	}
	if d.request("GET", "/api/v1/turns?last=3", "", &turns); len(turns) != 3 {
		t.Errorf("%d turns", len(turns))
	}
	var turn assistant.Turn
	if status := d.request("GET", "/api/v1/turns/TURN7", "", &turn); status != 200 || turn.ID != "turn7" || turn.Text != "make tea" {
		t.Errorf("%d %+v", status, turn)
	}
	set := assistant.Schedule{ScheduleKey: assistant.ScheduleKey{Home: "flat", Skill: "timer", ID: "s"}, Due: d.clock.Now()}
	if err := d.store.Commit(t.Context(), &assistant.Commit{Turn: &assistant.Turn{ID: "x", Home: "flat", Received: d.clock.Now()}, Set: []assistant.Schedule{set}}); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"flat", "shed"} {
		if err := d.store.PutHome(t.Context(), assistant.Home{ID: home, Zone: "UTC", Lang: "en"}); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"": 1, "?home=flat": 1, "?home=shed": 0} {
		var list []assistant.Schedule
		if d.request("GET", "/api/v1/schedules"+query, "", &list); len(list) != want {
			t.Errorf("%q: %+v", query, list)
		}
	}
}

func TestLogsAreRead(t *testing.T) {
	d := newDesk(t)
	for i := range 3 {
		if err := d.logs.Append("tea", []runtime.LogLine{{Time: d.clock.Now(), Instance: "i1", Line: fmt.Sprint("line ", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	var lines []runtime.LogLine
	if status := d.request("GET", "/api/v1/skills/tea/logs?lines=2", "", &lines); status != 200 || len(lines) != 2 || lines[1].Line != "line 2" {
		t.Errorf("%d %+v", status, lines)
	}
	d.refused("GET", "/api/v1/skills/soup/logs", "", http.StatusNotFound, "no skill soup is deployed")
	d.releases.list = []release.Status{{Skill: "soup"}}
	if status := d.request("GET", "/api/v1/skills/soup/logs", "", &lines); status != 200 || lines == nil || len(lines) != 0 {
		t.Errorf("of a skill that prints nothing: %d %+v", status, lines)
	}
}

// A home that nobody made is told apart from one in which nothing is.
func TestAHomeThatDoesNotExistIsSaid(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{"homes/attic/entities", "homes/attic/readings", "homes/attic/readings/count", "schedules?home=attic"} {
		d.refused("GET", "/api/v1/"+path, "", http.StatusNotFound, "there is no home attic: see `hark home list`")
	}
}

type event struct {
	Step, Detail, Error string
	Live                *assistant.LiveSkill
}

func (d *desk) deploy(body io.Reader) []event {
	d.t.Helper()
	r := httptest.NewRequest("POST", "/api/v1/skills", body)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		d.t.Errorf("status %d", w.Code)
	}
	var events []event
	for decoder := json.NewDecoder(w.Body); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return events
		} else if err != nil {
			d.t.Fatal(err)
		}
		events = append(events, e)
	}
}

func TestADeploymentTellsItsSteps(t *testing.T) {
	d := newDesk(t)
	d.releases.deploy = func(_ context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error) {
		content, err := io.ReadAll(archive)
		progress(release.Step{Name: "read", Detail: string(content)})
		return assistant.LiveSkill{Skill: "tea", Version: "7"}, err
	}
	events := d.deploy(strings.NewReader("archive"))
	if len(events) != 2 || events[0].Detail != "archive" || events[1].Live == nil || events[1].Live.Version != "7" {
		t.Errorf("events %+v", events)
	}
	d.releases.deploy = func(_ context.Context, _ io.Reader, progress func(release.Step)) (assistant.LiveSkill, error) {
		progress(release.Step{Name: "build"})
		return assistant.LiveSkill{}, errors.New("main.go:3: undefined")
	}
	if events := d.deploy(strings.NewReader("")); len(events) != 2 || events[1].Live != nil || events[1].Error != "main.go:3: undefined" {
		t.Errorf("events %+v", events)
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAnUploadWithoutEndIsCutOff(t *testing.T) {
	d := newDesk(t)
	var n int64
	d.releases.deploy = func(_ context.Context, archive io.Reader, _ func(release.Step)) (_ assistant.LiveSkill, err error) {
		n, err = io.Copy(io.Discard, archive)
		return assistant.LiveSkill{}, err
	}
	events := d.deploy(zeros{})
	if len(events) != 1 || !strings.Contains(events[0].Error, "too large") || n > 64<<20 {
		t.Errorf("after %d bytes: %+v", n, events)
	}
}

func TestTheClockIsMovedOnlyWhereItMayBe(t *testing.T) {
	d := newDesk(t)
	d.refused("POST", "/api/v1/clock", `{"advance_ms":1000}`, http.StatusConflict, "--test-clock")
	d = stocked(t)
	var now struct{ Now int64 }
	before := d.clock.Now()
	if status := d.request("POST", "/api/v1/clock", `{"advance_ms":1000}`, &now); status != 200 || now.Now != before.Add(time.Second).UnixMilli() {
		t.Errorf("%d %+v", status, now)
	}
}

// What is wrong inside is logged and not told; a store that is away is told.
func TestFailuresInside(t *testing.T) {
	var logged strings.Builder
	d := newDesk(t, func(o *admin.Options) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	d.releases.err = errors.New("the secret lies in /root")
	d.refused("GET", "/api/v1/skills", "", http.StatusInternalServerError, "internal error")
	if !strings.Contains(logged.String(), "the secret lies in /root") {
		t.Errorf("logged %q", logged.String())
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.refused("PUT", "/api/v1/homes/flat", `{}`, http.StatusServiceUnavailable, "cannot be written")
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	d := newDesk(t)
	short, lacking := d.Options, d.Options
	short.Token, lacking.Ready = "secret", nil
	for name, o := range map[string]admin.Options{"a short token": short, "no Ready": lacking} {
		if _, err := admin.New(o); err == nil {
			t.Errorf("%s: a Server was made", name)
		}
	}
}

// Whatever the body, the answer is JSON, no failure of ours, and what is stored is sound.
func FuzzBodies(f *testing.F) {
	f.Add(`{"tz":"UTC","lang":"en"}`)
	f.Add(`{"device":"kitchen","area":"hall","rotate":true}`)
	f.Add(`{"advance_ms":1000}`)
	f.Add(`{"text":"make tea","lang":"en","home":"flat"}`)
	f.Add(`{"tz":"\u0000","lang":"\ud800"}`)
	var d *desk
	d = newDesk(f, func(o *admin.Options) { o.Advance = func(by time.Duration) { d.clock.Advance(by) } })
	f.Fuzz(func(t *testing.T, body string) {
		d.t = t
		for _, c := range []struct{ method, path string }{
			{"PUT", "/api/v1/homes/flat"}, {"POST", "/api/v1/homes/flat/devices"}, {"POST", "/api/v1/clock"}, {"POST", "/api/v1/explanations"},
		} {
			var answer map[string]any
			if status := d.request(c.method, c.path, body, &answer); status >= 500 || answer == nil {
				t.Errorf("%s %s %q: %d %v", c.method, c.path, body, status, answer)
			}
		}
		homes, err := d.store.Homes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range homes {
			if _, err := time.LoadLocation(h.Zone); err != nil || len(h.Lang) > 64 {
				t.Errorf("%q made %+v", body, h)
			}
		}
	})
}
