package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"golang.org/x/text/language"
)

// lentLogin is how long a login for one sentence is good.
const lentLogin = time.Minute

func (s *Server) listHomes(w http.ResponseWriter, r *http.Request) error {
	homes, err := s.Store.Homes(r.Context())
	if err != nil {
		return err
	}
	type home struct {
		assistant.Home
		Devices []assistant.Device `json:"devices"`
	}
	list := make([]home, 0, len(homes))
	for _, h := range homes {
		devices, err := s.Store.Devices(r.Context(), h.ID)
		if err != nil {
			return err
		}
		list = append(list, home{h, append([]assistant.Device{}, devices...)})
	}
	return reply(w, list)
}

func (s *Server) setHome(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Zone string `json:"tz"`
		Lang string `json:"lang"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if _, err := time.LoadLocation(body.Zone); err != nil || body.Zone == "Local" {
		return badRequest("%.64q is not a time zone: use a name such as Asia/Shanghai or Europe/London", body.Zone)
	}
	lang, err := parseLang(body.Lang)
	if err != nil {
		return err
	}
	s.homes.Lock()
	defer s.homes.Unlock()
	home, err := s.home(r.Context(), r.PathValue("home"))
	if err != nil {
		return err
	}
	if body.Zone != "" {
		home.Zone = body.Zone
	}
	if lang != "" {
		home.Lang = lang
	}
	if err := s.Store.PutHome(r.Context(), home); err != nil {
		return err
	}
	s.Changed(home.ID)
	return reply(w, home)
}

// exists returns an error where there is no home of that name.
func (s *Server) exists(ctx context.Context, home string) error {
	_, err := s.Store.Home(ctx, home)
	if errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, fmt.Sprintf("there is no home %.64s: see `hark home list`", home)}
	}
	return err
}

// home returns a home, a new one that is not stored yet if there is none.
func (s *Server) home(ctx context.Context, id string) (assistant.Home, error) {
	if err := assistant.CheckName(id); err != nil {
		return assistant.Home{}, badRequest("home: %v", err)
	}
	home, err := s.Store.Home(ctx, id)
	if errors.Is(err, assistant.ErrNotFound) {
		return assistant.Home{ID: id, Zone: "UTC", Lang: "en"}, nil
	}
	return home, err
}

func (s *Server) addDevice(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Device string `json:"device"`
		Area   string `json:"area"`
		Lang   string `json:"lang"`
		Rotate bool   `json:"rotate"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	lang, err := parseLang(body.Lang)
	if err != nil {
		return err
	}
	if err := assistant.CheckName(body.Device); err != nil {
		return badRequest("device: %v", err)
	}
	if len(body.Area) > 64 {
		return badRequest("the area has more than 64 bytes")
	}
	login, err := s.AddDevice(r.Context(), r.PathValue("home"), assistant.Device{ID: body.Device, Area: body.Area, Lang: lang}, body.Rotate)
	if err != nil {
		return err
	}
	return reply(w, login)
}

// Login is what a device connects with. The password is shown once.
type Login struct {
	Home     string `json:"home"`
	Device   string `json:"device"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// AddDevice makes a device, and its home if that is new. With rotate, a device
// that exists gets a new password, and the old one ends with its connections.
func (s *Server) AddDevice(ctx context.Context, homeID string, d assistant.Device, rotate bool) (Login, error) {
	s.homes.Lock()
	defer s.homes.Unlock()
	home, err := s.home(ctx, homeID)
	if err != nil {
		return Login{}, err
	}
	switch old, err := s.Store.Device(ctx, homeID, d.ID); {
	case err == nil && !rotate:
		return Login{}, &apiError{http.StatusConflict, "device " + homeID + "/" + d.ID + " exists: --rotate gives it a new password and ends the old one"}
	case err == nil:
		if d.Area == "" {
			d.Area = old.Area
		}
		if d.Lang == "" {
			d.Lang = old.Lang
		}
		d.Model, d.Firmware, d.Presence = old.Model, old.Firmware, old.Presence
	case !errors.Is(err, assistant.ErrNotFound):
		return Login{}, err
	}
	d.Home = homeID
	if err := s.Store.PutHome(ctx, home); err != nil {
		return Login{}, err
	}
	if err := s.Store.PutDevice(ctx, d); err != nil {
		return Login{}, err
	}
	s.Changed(homeID)
	login, credential := newLogin(topic.Device{Home: homeID, ID: d.ID})
	if err := s.Store.ReplaceCredentials(ctx, credential); err != nil {
		return Login{}, err
	}
	s.Revoked(credential.Device)
	return login, nil
}

// lendLogin gives a login for a minute beside the device's own, so that an
// operator can speak as the device.
func (s *Server) lendLogin(w http.ResponseWriter, r *http.Request) error {
	device, err := s.Store.Device(r.Context(), r.PathValue("home"), r.PathValue("device"))
	if errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, "there is no device " + r.PathValue("home") + "/" + r.PathValue("device") + ": `hark device add HOME DEVICE`"}
	}
	if err != nil {
		return err
	}
	login, credential := newLogin(topic.Device{Home: device.Home, ID: device.ID})
	credential.Expires = s.Clock.Now().Add(lentLogin)
	if err := s.Store.PutCredential(r.Context(), credential); err != nil {
		return err
	}
	return reply(w, struct {
		Login
		MQTT string `json:"mqtt"`
	}{login, s.MQTT()})
}

// newLogin makes a password of 130 random bits, and what is kept of it.
func newLogin(d topic.Device) (Login, topic.Credential) {
	password := rand.Text()
	return Login{Home: d.Home, Device: d.ID, Username: d.String(), Password: password},
		topic.Credential{Device: d, ID: rand.Text(), Hash: sha256.Sum256([]byte(password))}
}

// maxLang bounds a language tag, in bytes.
const maxLang = 64

func parseLang(lang string) (string, error) {
	if lang == "" {
		return "", nil
	}
	tag, err := language.Parse(lang[:min(len(lang), maxLang+1)])
	if err != nil || len(lang) > maxLang {
		return "", badRequest("%.64q is not a language: use a BCP 47 tag such as en or zh-CN", lang)
	}
	return tag.String(), nil
}
