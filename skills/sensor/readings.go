package main

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hark-voice/hark/skills"
)

// reading is the last one of a sensor.
type reading struct {
	id, area string
	metric   string
	value    float64
	at       time.Time // zero: not known
}

type readings []reading

// sense reads the sensors that have measured something.
func sense(entities skills.Entities) readings {
	var found readings
	for _, e := range entities.Of("sensor") {
		value, ok := e.Number("state")
		if !ok {
			continue
		}
		metric, ok := e.Text("metric")
		if !ok {
			metric = e.ID[strings.LastIndexByte(e.ID, '_')+1:]
		}
		found = append(found, reading{id: e.ID, area: e.Area, metric: canonical(metric), value: value, at: e.Updated})
	}
	return found
}

func (rs readings) filter(keep func(reading) bool) readings {
	var kept readings
	for _, r := range rs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func (rs readings) of(metric string) readings {
	return rs.filter(func(r reading) bool { return r.metric == metric })
}

func (rs readings) from(sensors skills.Entities) readings {
	return rs.filter(func(r reading) bool {
		return slices.ContainsFunc(sensors, func(e skills.Entity) bool { return e.ID == r.id })
	})
}

func (rs readings) in(area string) readings {
	return rs.filter(func(r reading) bool {
		return len(skills.Entities{{Area: r.area}}.In(area)) > 0
	})
}

// rooms splits readings by room; those of no known room come last.
func (rs readings) rooms() []readings {
	rooms := rs.split(func(r reading) string { return r.area })
	slices.SortStableFunc(rooms, func(a, b readings) int {
		if (a[0].area == "") != (b[0].area == "") {
			return strings.Compare(b[0].area, a[0].area)
		}
		return strings.Compare(a[0].area, b[0].area)
	})
	return rooms
}

// metrics splits readings by what they measure.
func (rs readings) metrics() []readings {
	return rs.split(func(r reading) string { return r.metric })
}

// split splits readings by a key, in the order of its first appearance.
func (rs readings) split(key func(reading) string) []readings {
	var parts []readings
	for _, r := range rs {
		i := slices.IndexFunc(parts, func(part readings) bool { return key(part[0]) == key(r) })
		if i < 0 {
			parts = append(parts, nil)
			i = len(parts) - 1
		}
		parts[i] = append(parts[i], r)
	}
	return parts
}

// measurement is what readings of one kind amount to.
type measurement struct {
	metric  string
	value   float64
	sensors int           // that it is the mean of
	age     time.Duration // 0: it is not old
}

// merge takes the mean of the readings that are not old; where all are, the newest.
func (rs readings) merge(now time.Time) measurement {
	m := measurement{metric: rs[0].metric}
	newest := rs[0]
	for _, r := range rs {
		if r.at.IsZero() || now.Sub(r.at) <= oldAfter {
			m.value += r.value
			m.sensors++
		}
		if r.at.After(newest.at) {
			newest = r
		}
	}
	if m.sensors == 0 {
		age := now.Sub(newest.at)
		if age = age.Round(time.Minute); age >= 24*time.Hour {
			age = age.Round(time.Hour)
		}
		return measurement{metric: newest.metric, value: tenths(newest.value), sensors: 1, age: age}
	}
	m.value = tenths(m.value / float64(m.sensors))
	return m
}

func tenths(v float64) float64 { return math.Round(v*10) / 10 }

// canonical is one name for all that devices call the same thing.
func canonical(metric string) string {
	switch m := strings.ToLower(metric); m {
	case "temp", "temperature_c":
		return "temperature"
	case "rh", "relative_humidity":
		return "humidity"
	case "carbon_dioxide", "eco2":
		return "co2"
	case "pm2_5", "pm2.5", "pm_2_5":
		return "pm25"
	case "lux", "light", "light_level", "illumination", "brightness":
		return "illuminance"
	case "air_pressure", "atmospheric_pressure", "barometer":
		return "pressure"
	case "sound", "sound_level", "noise_level":
		return "noise"
	case "battery_level":
		return "battery"
	default:
		return strings.ReplaceAll(m, "_", " ")
	}
}

func unit(metric string) string {
	switch metric {
	case "temperature":
		return "°C"
	case "humidity", "battery", "moisture", "soil moisture":
		return "%"
	case "co2":
		return "ppm"
	case "tvoc", "voc":
		return "ppb"
	case "pm25", "pm10", "pm1":
		return "µg/m³"
	case "illuminance":
		return "lx"
	case "pressure":
		return "hPa"
	case "noise":
		return "dB"
	case "power":
		return "W"
	case "energy":
		return "kWh"
	case "voltage":
		return "V"
	}
	return ""
}
