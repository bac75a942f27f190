package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/deploy/hark/cli"
	"github.com/hark-voice/hark/functions/admin"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/metrics"
	"github.com/hark-voice/hark/functions/mongo"
	"github.com/hark-voice/hark/functions/mqtt"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/hark-voice/hark/functions/router"
	"github.com/hark-voice/hark/functions/runtime"
	"github.com/hark-voice/hark/functions/schedule"
	"github.com/hark-voice/hark/functions/sqlite"
	"github.com/hark-voice/hark/functions/usage"
)

// house is all rooms of an all-in-one Hark, wired and not yet running.
type house struct {
	clock     assistant.Clock
	owner     string // names this installation
	store     store
	catalog   *catalog.Catalog
	logs      *runtime.FileLogs
	processes *runtime.Processes
	invoker   *invoke.Invoker
	releases  *release.Manager
	homes     *household.Household
	mqtt      *mqtt.Adapter
	broker    *broker.Broker
	router    *router.Router
	firer     *schedule.Firer
	admin     *admin.Server
	metrics   *metrics.Metrics
	handler   http.Handler       // of --http
	revoked   func(topic.Device) // forgets what the HTTP gateway remembers of a login
	logger    *slog.Logger
	httpAddr  string
	closing   atomic.Bool
}

// store is everything that a store of Hark does.
type store interface {
	assistant.TurnStore
	assistant.ScheduleStore
	assistant.OutboxStore
	assistant.HomeStore
	assistant.EntityStore
	assistant.SkillStore
	assistant.UsageStore
	topic.CredentialStore
	Ping(ctx context.Context) error
	Close() error
}

// openStore opens the database that --store names, or the file of the data folder.
func openStore(ctx context.Context, s *settings, owner string, logger *slog.Logger) (store, error) {
	if s.store == "" {
		return sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(s.data, "hark.db"), Logger: logger})
	}
	unlock, err := lockFolder(s.data)
	if err != nil {
		return nil, err
	}
	db, err := mongo.Open(ctx, mongo.Options{URI: s.store, Owner: owner, Logger: logger})
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	return &locked{db, unlock}, nil
}

// locked is a database elsewhere, used by one process a data folder.
type locked struct {
	*mongo.Store

	unlock func() error
}

// Close closes the store and lets go of the folder.
func (l *locked) Close() error { return errors.Join(l.Store.Close(), l.unlock()) }

// lockFolder keeps a second Hark out of a data folder. A process that is killed
// lets go of it.
func lockFolder(data string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the data folder is ours
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data folder %s is in use by another Hark: %w", data, err), f.Close())
	}
	return f.Close, nil
}

func newHouse(ctx context.Context, s *settings, logger *slog.Logger) (_ *house, err error) {
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if s.data, err = filepath.Abs(s.data); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	h := &house{clock: assistant.SystemClock{}, logger: logger}
	var advance func(time.Duration)
	if s.testClock {
		manual := assistant.NewManualClock(time.Now())
		h.clock, advance = manual, manual.Advance
	}
	if h.owner, err = kept(s.data, "id"); err != nil {
		return nil, err
	}
	if h.store, err = openStore(ctx, s, h.owner, logger); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.store.Close())
		}
	}()
	if err := h.wireSkills(s); err != nil {
		return nil, err
	}
	if err := h.wireRoad(s); err != nil {
		return nil, err
	}
	token, err := kept(s.data, cli.TokenFile)
	if err != nil {
		return nil, err
	}
	explainer, err := explain.New(explain.Options{Catalog: h.catalog, Homes: h.homes, Clock: h.clock})
	if err != nil {
		return nil, err
	}
	h.admin, err = admin.New(admin.Options{
		Store: h.store, Releases: h.releases, Logs: h.logs, Explain: explainer, Token: token, Version: buildVersion(), Clock: h.clock,
		MQTT:    func() string { return h.broker.Addr().String() },
		Revoked: func(d topic.Device) { h.revoked(d); h.broker.Disconnect(d) },
		Changed: h.homes.Changed, Ready: h.ready, Advance: advance, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	h.handler, err = h.web(token)
	return h, err
}

// wireSkills wires what builds, starts and calls skills.
func (h *house) wireSkills(s *settings) (err error) {
	if h.catalog, err = catalog.New(); err != nil {
		return err
	}
	if h.logs, err = runtime.NewFileLogs(runtime.FileLogsOptions{Dir: filepath.Join(s.data, "logs")}); err != nil {
		return err
	}
	if h.processes, err = runtime.NewProcesses(runtime.ProcessOptions{Logs: h.logs, Logger: h.logger, Grace: time.Second}); err != nil {
		return err
	}
	prices, err := usage.DefaultPrices()
	if err != nil {
		return err
	}
	source, err := findSource(s.source)
	if err != nil {
		return err
	}
	h.releases, err = release.New(release.Options{
		Store: h.store, Catalog: h.catalog, Clock: h.clock, Folder: filepath.Join(s.data, "skills"),
		Source: source, Missing: h.processes.Missing(), Logger: h.logger,
	})
	if err != nil {
		return err
	}
	h.invoker, err = invoke.New(invoke.Options{Driver: h.processes, Specs: h.releases, Prices: prices, Clock: h.clock, Logger: h.logger, Grace: 2 * time.Second})
	if err != nil {
		return err
	}
	h.releases.Connect(h.invoker)
	return nil
}

// findSource returns the folder of Hark's own source: the one that is named, else
// the nearest above the working directory, empty if there is none.
func findSource(named string) (string, error) {
	dir, err := filepath.Abs(named) // builds run in folders of their own
	if err != nil {
		return "", fmt.Errorf("look for Hark's source: %w", err)
	}
	found := bundle.FindSource(dir)
	if named != "" && found != dir {
		return "", fmt.Errorf("--source %s: that folder does not hold Hark's go.mod", named)
	}
	return found, nil
}

// wireRoad wires the way from a device to the skills and back.
func (h *house) wireRoad(s *settings) (err error) {
	if h.homes, err = household.New(household.Options{Store: h.store, Clock: h.clock, Logger: h.logger}); err != nil {
		return err
	}
	h.metrics = metrics.New(metrics.Sources{Version: buildVersion(), Door: h.door, Instances: h.instances})
	phrases, err := dialogue.LoadPhrases()
	if err != nil {
		return err
	}
	h.mqtt = mqtt.NewAdapter(mqtt.Options{Outbox: h.store, Household: h.homes, Phrases: phrases, Clock: h.clock, Logger: h.logger})
	h.router, err = router.New(router.Options{
		Store: h.store, Homes: h.homes, Invoker: h.invoker, Postman: h.mqtt, Catalog: h.catalog, Clock: h.clock, Logger: h.logger,
		Scheduled: func() { h.firer.Poke() }, Committed: h.metrics.Turn,
	})
	if err != nil {
		return err
	}
	h.firer, err = schedule.New(schedule.Options{Store: h.store, Road: h.router, Clock: h.clock, Owner: h.owner, Logger: h.logger})
	if err != nil {
		return err
	}
	h.broker, err = broker.New(broker.Options{
		Address: s.mqtt, Credentials: h.store, Consumer: h.mqtt, Outbox: h.mqtt, Clock: h.clock, Log: h.logger,
	})
	if err != nil {
		return err
	}
	h.mqtt.Connect(h.router, h.broker)
	return nil
}

// door is what the broker has counted, for the metrics.
func (h *house) door() metrics.Door {
	s := h.broker.Stats()
	return metrics.Door{
		Connections: s.Connections, Unacknowledged: s.Unacked, In: s.In, Sent: s.Sent, Done: s.Done, Expired: s.Expired,
		Refused: s.Refused, Dropped: s.Dropped,
	}
}

// instances counts what runs of each skill, for the metrics.
func (h *house) instances() map[string]int {
	running := make(map[string]int)
	for _, k := range h.catalog.Current().Skills() {
		running[k.Name] = 0
	}
	for _, s := range h.invoker.Status() {
		running[s.Skill] += len(s.Instances)
	}
	return running
}

// readyWithin bounds how long /readyz looks.
const readyWithin = 2 * time.Second

// ready tells whether a message published now would be answered.
func (h *house) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	select {
	case <-h.broker.Ready():
	default:
		return errors.New("the broker is not open yet")
	}
	if h.closing.Load() {
		return errors.New("Hark is stopping") //nolint:staticcheck // a name begins it
	}
	if len(h.catalog.Current().Skills()) == 0 {
		return errors.New("no skill is deployed")
	}
	return h.store.Ping(ctx)
}

// sweepEvery is how often what has expired is cleared away.
const sweepEvery = time.Minute

// sweep clears messages away that nobody fetched before they expired.
func (h *house) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		count, err := h.clearExpired(ctx)
		if err != nil && ctx.Err() == nil {
			h.logger.Warn("expired messages cannot be cleared away; trying again", "error", err)
		}
		if count > 0 {
			h.logger.Info("messages expired before their devices fetched them", "count", count)
		}
	}
}

func (h *house) clearExpired(ctx context.Context) (count int, err error) {
	const some = 1000
	for n := some; n == some && err == nil; count += n {
		var expired []assistant.Message
		expired, err = h.store.Expired(ctx, h.clock.Now(), some)
		n = len(expired)
	}
	return count, err
}

// kept returns a random text of this data folder, made at its first start.
func kept(data, name string) (string, error) {
	path := filepath.Join(data, name)
	raw, err := os.ReadFile(path) //nolint:gosec // the data folder is ours
	switch {
	case err == nil && len(bytes.TrimSpace(raw)) > 0: // a power cut may leave it empty
		return string(bytes.TrimSpace(raw)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	text := rand.Text()
	// By way of another name, so that a power cut leaves no half of it.
	if err := errors.Join(os.WriteFile(path+".new", []byte(text+"\n"), 0o600), os.Rename(path+".new", path)); err != nil {
		return "", fmt.Errorf("keep %s: %w", path, err)
	}
	return text, nil
}

// talk says a sentence as a device would, for `hark say`.
func talk(ctx context.Context, login cli.Login, text, lang string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return mqtt.Talk(ctx, mqtt.Login{
		Broker: "tcp://" + login.MQTT, Device: topic.Device{Home: login.Home, ID: login.Device}, Password: login.Password,
	}, text, lang)
}
