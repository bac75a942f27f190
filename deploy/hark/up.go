package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hark-voice/hark/deploy/hark/cli"
	"github.com/hark-voice/hark/functions/release"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// finishWithin is how long work under way may take when Hark is told to stop.
// With the grace of instances after it (see wireSkills) that is within 10 s.
const finishWithin = 6 * time.Second

func up() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use: "up", Short: "Run Hark: broker, store, skills, all in one process", Args: cobra.NoArgs,
		Long: "Run Hark until it is interrupted. Every flag is also an environment variable (HARK_MQTT, HARK_TEST_CLOCK, ...)\nand a key of the YAML file that --config names; flags win over variables, variables over the file.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.load(c); err != nil {
				return err
			}
			logger := newLogger(c.ErrOrStderr())
			return run(c.Context(), s, c.OutOrStdout(), logger)
		},
	}
	s.flags(c.Flags())
	return c
}

// run is the life of `hark up`: open the house, bring the skills into service,
// open the doors, wait, close in the order that loses nothing.
func run(ctx context.Context, s *settings, out io.Writer, logger *slog.Logger) (err error) {
	doors, err := openDoors(ctx, s)
	if err != nil {
		return err
	}
	defer doors.Close()
	defer runtime.KeepAlive(make([]byte, ballast))
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + forDisk)
	}
	h, err := newHouse(ctx, s, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.store.Close()) }()

	// The insides outlive the doors: what came in is finished.
	inside, endInside := context.WithCancel(context.WithoutCancel(ctx))
	defer endInside()
	var work errgroup.Group
	work.Go(func() error { return h.invoker.Run(inside) })
	defer func() {
		endInside()
		err = errors.Join(err, work.Wait(), h.processes.Close())
	}()

	if err := h.store.Ping(ctx); err != nil { // damage that opening did not show
		return fmt.Errorf("the store cannot be written: %w", err)
	}
	if err := h.releases.Load(ctx); err != nil {
		return err
	}
	if err := deployBuiltins(ctx, h.releases, out); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	err = h.serve(ctx, doors, s, out)
	if ctx.Err() != nil {
		fmt.Fprintln(out, "stopped")
	}
	return err
}

// ballast is memory that is reserved and never touched, so that it costs none. The
// garbage collector runs each time the heap has doubled: with the few megabytes
// that a small house needs, that would be at every few thousand messages.
const ballast = 64 << 20

// forDisk is how many threads may run Go code beyond one for each processor: who
// comes back from the disk is to go on at once, for many wait for that.
const forDisk = 1

// openDoors takes the HTTP address, and looks whether the MQTT address is free,
// before anything is built: a port in use should be told in the first second.
func openDoors(ctx context.Context, s *settings) (net.Listener, error) {
	var config net.ListenConfig
	probe, err := config.Listen(ctx, "tcp", s.mqtt)
	if err != nil {
		return nil, fmt.Errorf("open --mqtt: %w; another address is chosen with --mqtt 127.0.0.1:PORT", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("open --mqtt: %w", err)
	}
	listener, err := config.Listen(ctx, "tcp", s.http)
	if err != nil {
		return nil, fmt.Errorf("open --http: %w; another address is chosen with --http 127.0.0.1:PORT", err)
	}
	return listener, nil
}

// serve opens the doors until ctx ends or one of them fails.
func (h *house) serve(ctx context.Context, listener net.Listener, s *settings, out io.Writer) error {
	h.httpAddr = listener.Addr().String()
	server := &http.Server{Handler: h.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}

	doors, ctx := errgroup.WithContext(ctx)
	doors.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("http: %w", err)
		}
		return nil
	})
	doors.Go(func() error { return h.broker.Run(ctx) })
	doors.Go(func() error { return h.firer.Run(ctx) })
	doors.Go(func() error { return h.sweep(ctx) })
	doors.Go(func() error {
		<-ctx.Done()
		h.closing.Store(true)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
		defer cancel()
		h.mqtt.Drain(end)
		if err := server.Shutdown(end); err != nil {
			return server.Close()
		}
		return nil
	})
	doors.Go(func() error {
		select {
		case <-h.broker.Ready():
			return h.welcome(ctx, s, out)
		case <-ctx.Done():
			return nil
		}
	})
	return doors.Wait()
}

// welcome says that Hark is ready, and how to talk to it.
func (h *house) welcome(ctx context.Context, s *settings, out io.Writer) error {
	demo, err := makeDemo(ctx, h)
	if err != nil {
		return fmt.Errorf("make the demo home: %w", err)
	}
	if err := h.leaveAddress(s); err != nil {
		return err
	}
	greet(out, h, s, demo)
	return nil
}

// leaveAddress tells commands that are run with the same data folder where this Hark is.
func (h *house) leaveAddress(s *settings) error {
	path := filepath.Join(s.data, cli.AddressFile)
	if err := os.WriteFile(path, []byte(h.httpAddr+"\n"), 0o600); err != nil {
		return fmt.Errorf("leave the address for other commands: %w", err)
	}
	return nil
}

// deployBuiltins shows what is built: on a fresh machine that takes a while.
func deployBuiltins(ctx context.Context, m *release.Manager, out io.Writer) error {
	start := time.Now()
	_, err := m.DeployBuiltins(ctx, release.Prebuilt(), func(skill string, s release.Step) {
		fmt.Fprintf(out, "%5.1fs  skill %-8s %-8s %s\n", time.Since(start).Seconds(), skill, s.Name, s.Detail)
	})
	return err
}
