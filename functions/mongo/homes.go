package mongo

import (
	"context"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type homeDoc struct {
	ID   string `bson:"_id"`
	Zone string `bson:"tz"`
	Lang string `bson:"lang"`
}

func (d homeDoc) home() assistant.Home { return assistant.Home(d) }

// Home returns a home, or ErrNotFound.
func (s *Store) Home(ctx context.Context, id string) (assistant.Home, error) {
	d, err := findOne[homeDoc](ctx, s, collHomes, byID(id))
	return d.home(), failed(ctx, "find home "+id, err)
}

// PutHome adds a home or replaces the one of its id.
func (s *Store) PutHome(ctx context.Context, h assistant.Home) error {
	return s.put(ctx, "keep home "+h.ID, collHomes, h.ID, homeDoc(h))
}

// Homes lists all homes by id.
func (s *Store) Homes(ctx context.Context) ([]assistant.Home, error) {
	docs, err := findAll[homeDoc](ctx, s, collHomes, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, "list homes", err)
	}
	homes := make([]assistant.Home, len(docs))
	for i, d := range docs {
		homes[i] = d.home()
	}
	return homes, nil
}

type deviceDoc struct {
	ID     string `bson:"_id"`
	Home   string `bson:"home"`
	Device string `bson:"device"`
	Area   string `bson:"area"`
	Lang   string `bson:"lang"`

	Model    string `bson:"model"`
	Firmware string `bson:"firmware"`
	Presence string `bson:"presence"`
}

func newDevice(d assistant.Device, home, id string) deviceDoc {
	return deviceDoc{
		ID: path(home, id), Home: home, Device: id, Area: d.Area, Lang: d.Lang,
		Model: d.Model, Firmware: d.Firmware, Presence: string(d.Presence),
	}
}

func (d deviceDoc) device() assistant.Device {
	return assistant.Device{
		Home: d.Home, ID: d.Device, Area: d.Area, Lang: d.Lang,
		Model: d.Model, Firmware: d.Firmware, Presence: assistant.Presence(d.Presence),
	}
}

// fields is all but the id.
func (d deviceDoc) fields() bson.D {
	return bson.D{
		{Key: "home", Value: d.Home},
		{Key: "device", Value: d.Device},
		{Key: "area", Value: d.Area},
		{Key: "lang", Value: d.Lang},
		{Key: "model", Value: d.Model},
		{Key: "firmware", Value: d.Firmware},
		{Key: "presence", Value: d.Presence},
	}
}

// Device returns a device, or ErrNotFound.
func (s *Store) Device(ctx context.Context, home, id string) (assistant.Device, error) {
	d, err := findOne[deviceDoc](ctx, s, collDevices, byID(path(home, id)))
	return d.device(), failed(ctx, "find device "+home+"/"+id, err)
}

// PutDevice adds a device or replaces the one of its home and id.
func (s *Store) PutDevice(ctx context.Context, d assistant.Device) error {
	doc := newDevice(d, d.Home, d.ID)
	return s.put(ctx, "keep device "+d.Home+"/"+d.ID, collDevices, doc.ID, doc)
}

// Devices lists the devices of a home by id.
func (s *Store) Devices(ctx context.Context, home string) ([]assistant.Device, error) {
	docs, err := findAll[deviceDoc](ctx, s, collDevices, bson.D{{Key: "home", Value: home}},
		options.Find().SetSort(bson.D{{Key: "device", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, "list the devices of "+home, err)
	}
	devices := make([]assistant.Device, len(docs))
	for i, d := range docs {
		devices[i] = d.device()
	}
	return devices, nil
}
