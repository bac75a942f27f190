package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

// sensor is one that reported so long ago.
func sensor(id, area, metric string, value float64, ago time.Duration) skills.Entity {
	return skills.Entity{
		ID: "sensor." + id, Area: area, Updated: noon.Add(-ago), State: map[string]any{"state": value, "metric": metric},
	}
}

// house has two rooms, and a sensor that nobody placed.
func house(t *testing.T) *skilltest.Tester {
	t.Helper()
	return skilltest.New(t, skill()).
		Entity(sensor("k_temperature", "kitchen", "temperature", 23.44, time.Minute)).
		Entity(sensor("k2_temperature", "kitchen", "temp", 24, 15*time.Minute)).
		Entity(sensor("k3_temperature", "kitchen", "temperature", 99, time.Hour)).
		Entity(sensor("b_temperature", "living_room", "temperature", -3, 2*time.Hour+10*time.Second)).
		Entity(sensor("b2_temperature", "living_room", "temperature", -9, 50*time.Hour)).
		Entity(sensor("b_humidity", "living_room", "humidity", 40.06, 0)).
		Entity(sensor("x_lux", "", "lux", 1234, 0)).
		Entity(sensor("pool_water_level", "", "water_level", 7, 49*time.Hour+20*time.Minute)).
		Entity(skills.Entity{ID: "sensor.y_co2", Area: "kitchen", State: map[string]any{"state": 612.0}}).
		Entity(skills.Entity{ID: "sensor.silent_temperature", Area: "attic"}).
		Entity(skills.Entity{ID: "light.desk", Area: "attic", State: map[string]any{"state": 1.0, "metric": "temperature"}})
}

func metric(name string) skilltest.SlotValue { return skilltest.Slot("metric", name) }

func area(name string) skilltest.SlotValue { return skilltest.Slot("area", name) }

func TestReadings(t *testing.T) {
	for _, c := range []struct {
		at     string
		slots  []skilltest.SlotValue
		en, zh string
	}{
		{
			"",
			[]skilltest.SlotValue{metric("temperature"), area("kitchen")},
			"The temperature in the kitchen is 23.7 °C, the average of 2 sensors.", "kitchen的温度是23.7°C（2个传感器的平均值）。",
		},
		{
			"",
			[]skilltest.SlotValue{metric("temperature"), area("living room")},
			"The temperature in the living room is -3 °C, measured 2 hours ago.", "living room的温度是-3°C（2小时前的读数）。",
		},
		{
			"kitchen",
			[]skilltest.SlotValue{metric("temperature")},
			"The temperature is 23.7 °C, the average of 2 sensors.", "现在的温度是23.7°C（2个传感器的平均值）。",
		},
		{
			"hall",
			[]skilltest.SlotValue{metric("temperature")},
			"The temperature is 23.7 °C in the kitchen, the average of 2 sensors and -3 °C in the living room, measured 2 hours ago.",
			"现在的温度：kitchen23.7°C（2个传感器的平均值）和living room-3°C（2小时前的读数）。",
		},
		{"", []skilltest.SlotValue{metric("humidity")}, "The humidity in the living room is 40.1%.", "living room的湿度是40.1%。"},
		{"", []skilltest.SlotValue{metric("illuminance")}, "The brightness is 1,234 lx.", "现在的亮度是1234lx。"},
		{"", []skilltest.SlotValue{metric("carbon_dioxide"), area("kitchen")}, "The carbon dioxide level in the kitchen is 612 ppm.", "kitchen的二氧化碳浓度是612ppm。"},
		{"", []skilltest.SlotValue{metric("water_level")}, "The water level is 7, measured 2 days and 1 hour ago.", "现在的water level是7（2天1小时前的读数）。"},
		{"", []skilltest.SlotValue{metric("temperature"), area("attic")}, "I know of no sensor for the temperature in the attic.", "attic没有找到测温度的传感器。"},
		{"", []skilltest.SlotValue{metric("temperature"), skilltest.Slot("place", "Paris")}, "I know of no place called Paris with a sensor for the temperature.", "Paris没有找到测温度的传感器。"},
		{"", []skilltest.SlotValue{metric("pressure")}, "I know of no sensor for the air pressure.", "没有找到测气压的传感器。"},
	} {
		for lang, want := range map[string]string{"en": c.en, "zh-CN": c.zh} {
			if got := house(t).At(noon).Lang(lang).Area(c.at).Intent("GetReading", c.slots...).Speech; got != want {
				t.Errorf("%s in %q, %v:\n got %q\nwant %q", lang, c.at, c.slots, got, want)
			}
		}
	}
}

func TestSensorByName(t *testing.T) {
	pool := sensor("pool", "garden", "temperature", 25.55, 0)
	pool.Name = "Pool thermometer"
	st := house(t).Entity(pool)
	if got := st.Intent("GetReading", skilltest.Slot("name", "Pool thermometer")).Speech; got != "The temperature in the garden is 25.6 °C." {
		t.Errorf("said %q", got)
	}
}

func TestListReadings(t *testing.T) {
	want := "The sensors say, in the kitchen: temperature 23.7 °C, the average of 2 sensors and carbon dioxide level 612 ppm; " +
		"in the living room: temperature -3 °C, measured 2 hours ago and humidity 40.1%; " +
		"elsewhere: brightness 1,234 lx and water level 7, measured 2 days and 1 hour ago."
	if got := house(t).Intent("ListReadings").Speech; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if got := house(t).Intent("ListReadings", area("attic")).Speech; got != "No sensor has reported anything in the attic yet." {
		t.Errorf("said %q", got)
	}
	if got := skilltest.New(t, skill()).Lang("zh-CN").Intent("ListReadings").Speech; got != "还没有传感器的读数。" {
		t.Errorf("said %q", got)
	}
}

// A home full of sensors is not read out whole.
func TestManySensors(t *testing.T) {
	st := skilltest.New(t, skill())
	for i := range 30 {
		st.Entity(sensor(fmt.Sprint(i), fmt.Sprintf("room %02d", i), "temperature", float64(i), 0))
	}
	want := "The temperature is 0 °C in the room 00, 1 °C in the room 01, 2 °C in the room 02, 3 °C in the room 03, " +
		"4 °C in the room 04, 5 °C in the room 05, 6 °C in the room 06, 7 °C in the room 07 and more in 22 other rooms."
	if got := st.Intent("GetReading", metric("temperature")).Speech; got != want {
		t.Errorf("said %q", got)
	}
	got := st.Intent("ListReadings").Speech
	if len(got) > skills.MaxSpeech || !strings.HasSuffix(got, "; and 6 more readings.") {
		t.Errorf("said %q", got)
	}
}
