package mongo

import (
	"context"
	"fmt"
	"math"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Record makes a report durable. Its news and readings share writes with those
// of other reports. When ctx ends first, part of the report may become durable;
// the rest does when it is recorded again, which is harmless.
func (s *Store) Record(ctx context.Context, r *assistant.Report) error {
	what := "record what " + r.Home + "/" + r.Device + " reports"
	p, err := newReport(r)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return failed(ctx, what, s.record(ctx, p))
}

// report is an assistant.Report as it is written.
type report struct {
	facts    *deviceDoc
	entities []entityDoc
	news     []*news
	readings []*readingDoc
}

func newReport(r *assistant.Report) (*report, error) {
	p := &report{}
	if r.Facts != nil {
		d := newDevice(*r.Facts, r.Home, r.Device)
		p.facts = &d
	}
	for _, e := range r.Entities {
		e.Home, e.Device = r.Home, r.Device
		doc, err := newEntity(&e)
		if err != nil {
			return nil, err
		}
		p.entities = append(p.entities, doc)
	}
	for i := range r.States {
		n, err := newNews(r, &r.States[i])
		if err != nil {
			return nil, err
		}
		p.news = append(p.news, n)
	}
	for i := range r.Readings {
		d, err := newReading(&r.Readings[i])
		if err != nil {
			return nil, err
		}
		p.readings = append(p.readings, d)
	}
	return p, nil
}

func (s *Store) record(ctx context.Context, p *report) error {
	if p.facts != nil {
		if err := s.merge(ctx, collDevices, p.facts.ID, bson.D{{Key: "$set", Value: stated(p.facts.fields())}}); err != nil {
			return err
		}
	}
	if err := s.own(ctx, p.entities); err != nil {
		return err
	}
	outcomes := make(chan error, len(p.news)+len(p.readings))
	for _, n := range p.news {
		if err := enqueue(ctx, s, s.news, n, outcomes); err != nil {
			return err
		}
	}
	for _, d := range p.readings {
		if err := enqueue(ctx, s, s.readings, d, outcomes); err != nil {
			return err
		}
	}
	for range cap(outcomes) {
		select {
		case err := <-outcomes:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// enqueue gives an item to its group once there is room for it.
func enqueue[T interface{ size() int }](ctx context.Context, s *Store, g *group[T], item T, outcomes chan<- error) error {
	size := int64(item.size())
	if err := s.room.Acquire(ctx, size); err != nil {
		return err
	}
	g.add(item, func(err error) {
		s.room.Release(size)
		outcomes <- err
	})
	return nil
}

// readingDoc is a reading. Its id is what makes sending it again harmless.
type readingDoc struct {
	ID     string `bson:"_id"`
	Home   string `bson:"home"`
	Device string `bson:"device"`
	Key    string `bson:"key"`
	At     int64  `bson:"at"`
	Values string `bson:"values"`
}

func newReading(r *assistant.Reading) (*readingDoc, error) {
	e := encoder{}
	d := &readingDoc{
		ID: path(r.Home, r.Device, r.Key), Home: r.Home, Device: r.Device, Key: r.Key,
		At: r.At.UnixMilli(), Values: e.json(r.Values),
	}
	if e.err == nil && d.size() > maxDocument {
		e.err = fmt.Errorf("a reading has %d bytes, more than the %d allowed", d.size(), maxDocument)
	}
	return d, e.err
}

func (d *readingDoc) size() int { return 2*len(d.ID) + len(d.Values) + 128 }

func (d *readingDoc) reading() (assistant.Reading, error) {
	values, err := decode[map[string]float64](d.Values)
	return assistant.Reading{Home: d.Home, Device: d.Device, Key: d.Key, At: fromMillis(&d.At), Values: values}, err
}

// insertReadings writes readings; one that is there already is as good as written.
func (s *Store) insertReadings(ctx context.Context, list []*readingDoc) []error {
	err := s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collReadings).InsertMany(ctx, list, options.InsertMany().SetOrdered(false))
		return err
	})
	_, err = refused(err)
	return each(list, err)
}

// Readings returns the readings of a home, of one device if it is named, newest
// first, at most limit.
func (s *Store) Readings(ctx context.Context, home, device string, limit int) ([]assistant.Reading, error) {
	if limit < 1 { // to MongoDB, that is no limit, or a batch of its own
		return nil, nil
	}
	what := "list the readings of " + home
	filter := bson.D{{Key: "home", Value: home}}
	if device != "" {
		filter = append(filter, bson.E{Key: "device", Value: device})
	}
	docs, err := findAll[readingDoc](ctx, s, collReadings, filter, options.Find().
		SetSort(bson.D{{Key: "at", Value: -1}, {Key: "device", Value: 1}, {Key: "key", Value: 1}}).
		SetLimit(int64(min(limit, math.MaxInt32))))
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	list := make([]assistant.Reading, len(docs))
	for i := range docs {
		if list[i], err = docs[i].reading(); err != nil {
			return nil, failed(ctx, what, err)
		}
	}
	return list, nil
}

// CountReadings counts the readings of a home.
func (s *Store) CountReadings(ctx context.Context, home string) (n int64, err error) {
	err = s.call(ctx, "count the readings of "+home, func(ctx context.Context) error {
		n, err = s.db.Collection(collReadings).CountDocuments(ctx, bson.D{{Key: "home", Value: home}})
		return err
	})
	return n, err
}
