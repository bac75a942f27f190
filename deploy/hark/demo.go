package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/admin"
	"github.com/hark-voice/hark/functions/assistant"
)

// The demo home, made when there is no home yet.
const (
	demoHome   = "demo"
	demoDevice = "speaker"
)

// makeDemo makes the demo home on an empty store and returns its speaker's
// login, nil if there was a home.
func makeDemo(ctx context.Context, h *house) (*admin.Login, error) {
	list, err := h.store.Homes(ctx)
	if err != nil || len(list) > 0 {
		return nil, err
	}
	if err := h.store.PutHome(ctx, assistant.Home{ID: demoHome, Zone: localZone(), Lang: "en"}); err != nil {
		return nil, err
	}
	login, err := h.admin.AddDevice(ctx, demoHome, assistant.Device{ID: demoDevice, Area: "kitchen"}, false)
	if err != nil {
		return nil, err
	}
	// The speaker is also the hub of two lamps, and feels how warm it is.
	now := h.clock.Now()
	return &login, h.homes.Report(ctx, &assistant.Report{
		Home: demoHome, Device: demoDevice,
		Entities: []assistant.Entity{
			{ID: "light.kitchen", Domain: "light", Name: "kitchen light", Area: "kitchen"},
			{ID: "light.bedside", Domain: "light", Name: "bedside lamp", Area: "bedroom"},
		},
		Readings: []assistant.Reading{{
			Home: demoHome, Device: demoDevice, At: now, Key: "demo", Values: map[string]float64{"temperature": 21.5, "humidity": 45},
		}},
	})
}

// localZone is the IANA name of the machine's time zone, UTC if it has none.
func localZone() string {
	if zone := os.Getenv("TZ"); zone != "" {
		if _, err := time.LoadLocation(zone); err == nil {
			return zone
		}
	}
	const zones = "zoneinfo/"
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		for i := range len(link) - len(zones) {
			if link[i:i+len(zones)] == zones {
				if _, err := time.LoadLocation(link[i+len(zones):]); err == nil {
					return link[i+len(zones):]
				}
			}
		}
	}
	return "UTC"
}

// greet tells how to talk to Hark, and that it is ready.
func greet(out io.Writer, h *house, s *settings, demo *admin.Login) {
	mqtt := h.broker.Addr().String()
	host, port, err := net.SplitHostPort(mqtt)
	if err != nil {
		host, port = mqtt, "1883"
	}
	fmt.Fprintf(out, "\nmqtt  %s    http  http://%s    data  %s\n\n", mqtt, h.httpAddr, s.data)
	if demo != nil {
		login := fmt.Sprintf("-h %s -p %s -u %s -P %s", host, port, demo.Username, demo.Password)
		fmt.Fprintf(out, "Home %q has a speaker. Listen to it in one terminal, talk to it in another (the password is shown this once):\n\n", demo.Home)
		fmt.Fprintf(out, "  mosquitto_sub %s -q 1 -v -t 'hark/%s/#'\n", login, demo.Username)
		fmt.Fprintf(out, "  mosquitto_pub %s -q 1 -t hark/%s/utterance -m '{\"id\":\"'$(date +%%s%%N)'\",\"text\":\"what time is it\"}'\n", login, demo.Username)
		fmt.Fprintf(out, "  mosquitto_pub %s -q 1 -t hark/%s/reading -m '{\"values\":{\"temperature\":23.4}}'\n\n", login, demo.Username)
	}
	hark := commandLine(s)
	for _, sentence := range []string{`"what time is it"`, "设一个五秒的计时器", `"turn on the kitchen light"`, "厨房多少度"} {
		fmt.Fprintf(out, "  %s say %s\n", hark, sentence)
	}
	fmt.Fprintln(out)
	fmt.Fprintln(out, "READY")
}

// commandLine is how the user of this process runs hark against it.
func commandLine(s *settings) string {
	hark := "hark"
	if self, err := os.Executable(); err == nil && strings.Contains(self, "go-build") {
		hark = "go run ./deploy/hark"
	}
	here, err := os.Getwd()
	if err == nil && s.data == filepath.Join(here, ".hark") {
		return hark
	}
	return "HARK_DATA=" + s.data + " " + hark
}
