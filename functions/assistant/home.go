package assistant

import "time"

// Home is one household. No data crosses homes.
type Home struct {
	ID   string `json:"id"`
	Zone string `json:"tz"`   // IANA name; empty means UTC
	Lang string `json:"lang"` // BCP 47
}

// Location returns the home's time zone, UTC where it is unknown.
func (h Home) Location() *time.Location {
	if loc, err := time.LoadLocation(h.Zone); err == nil {
		return loc
	}
	return time.UTC
}

// Device is a speaker or sensor of a home.
type Device struct {
	Home string `json:"home"`
	ID   string `json:"id"`
	Area string `json:"area,omitempty"` // the room it stands in
	Lang string `json:"lang,omitempty"` // BCP 47; empty: the home's

	// What the device says of itself.
	Model    string   `json:"model,omitempty"`
	Firmware string   `json:"firmware,omitempty"`
	Presence Presence `json:"presence,omitempty"`
}

// Language is the language that the device is spoken to in by default.
func (d Device) Language(home Home) string {
	if d.Lang != "" {
		return d.Lang
	}
	return home.Lang
}
