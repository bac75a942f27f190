package catalog

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

// The names of 100,000 homes of 30 things fit into a gibibyte.
func TestHomesAreSmall(t *testing.T) {
	const homes, names, most = 1000, 30, (1 << 30) / 100_000
	rooms, kinds := []string{"Kitchen", "Living room", "客厅", "Bedroom", "Bath"}, []string{"light", "switch", "sensor", "cover"}
	all := make([]*nlu.Lists, homes)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	if _, err := HomeLists("en", nil, nil); err != nil { // what all homes share
		t.Fatal(err)
	}
	before := heap()
	for i := range all {
		var entities []assistant.Entity
		for n := range names {
			room, kind := rooms[n%len(rooms)], kinds[n%len(kinds)]
			entities = append(entities, assistant.Entity{
				ID: fmt.Sprintf("%s%d", kind, n), Domain: kind, Area: room, Name: fmt.Sprintf("%s %s %d", room, kind, n+i),
			})
		}
		var err error
		if all[i], err = HomeLists("en", entities, nil); err != nil {
			t.Fatal(err)
		}
	}
	used := (heap() - before) / homes
	runtime.KeepAlive(all)
	t.Logf("the names of a home with %d things take %d bytes", names, used)
	if used > most {
		t.Errorf("the names of a home with %d things take %d bytes, %d at most", names, used, most)
	}
}
