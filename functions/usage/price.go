package usage

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"time"
)

// defaultPrices has the factors of Alibaba Function Compute: 0.0075 CU per
// invocation, 1 per active vCPU-second, 0.15 per GB-second.
//
//go:embed prices.json
var defaultPrices []byte

// maxFactor keeps a mistyped price from overflowing a year's bill: 1,000 CU.
const maxFactor = 1_000_000_000

// Price is what applies from a day on. All factors are whole micro-CU.
type Price struct {
	From          time.Time
	PerInvocation int64
	PerCPUSecond  int64 // of processor time used
	PerGBSecond   int64 // of memory limit times wall time; a GB is 1024 MiB
}

// PriceList holds dated prices. It never changes: a new price is a new entry, so
// that what was charged can be computed again.
type PriceList struct {
	prices []Price // by From, ascending
}

// DefaultPrices returns the built-in price list.
func DefaultPrices() (*PriceList, error) { return ParsePrices(defaultPrices) }

// ParsePrices reads a price file, whose entries must be in the order of their
// dates (YYYY-MM-DD, UTC).
func ParsePrices(file []byte) (*PriceList, error) {
	var raw struct {
		Prices []struct {
			From          string `json:"from"`
			PerInvocation int64  `json:"micro_cu_per_invocation"`
			PerCPUSecond  int64  `json:"micro_cu_per_cpu_second"`
			PerGBSecond   int64  `json:"micro_cu_per_gb_second"`
		} `json:"prices"`
	}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("price file: there is more after the end of the list")
	}
	if len(raw.Prices) == 0 {
		return nil, errors.New("price file: there is no price")
	}
	list := &PriceList{}
	for i, r := range raw.Prices {
		from, err := time.Parse(time.DateOnly, r.From)
		if err != nil {
			return nil, fmt.Errorf("price file: entry %d: from %q is no date: write YYYY-MM-DD", i+1, r.From)
		}
		if i > 0 && !from.After(list.prices[i-1].From) {
			return nil, fmt.Errorf("price file: entry %d: %s is not after the date of the entry before", i+1, r.From)
		}
		for _, factor := range []int64{r.PerInvocation, r.PerCPUSecond, r.PerGBSecond} {
			if factor < 0 || factor > maxFactor {
				return nil, fmt.Errorf("price file: entry %d: %d is out of range: 0 to %d micro-CU", i+1, factor, int64(maxFactor))
			}
		}
		list.prices = append(list.prices, Price{from, r.PerInvocation, r.PerCPUSecond, r.PerGBSecond})
	}
	return list, nil
}

// At returns the price at a time; before the first date, the first price.
func (l *PriceList) At(at time.Time) Price {
	price := l.prices[0]
	for _, p := range l.prices[1:] {
		if at.Before(p.From) {
			break
		}
		price = p
	}
	return price
}

// Price is what one invocation costs, in micro-CU: its wall time, the processor
// time it used and the memory limit of its instance. Each of the three parts is
// rounded to the nearest; a negative quantity counts as 0.
func (l *PriceList) Price(at time.Time, wall, cpu time.Duration, memMiB int64) int64 {
	p := l.At(at)
	const msPerGBSecond = 1024 * 1000 // MiB-milliseconds
	mibMillis := mulDiv(memMiB, wall.Milliseconds(), 1)
	return add(p.PerInvocation,
		add(mulDiv(p.PerCPUSecond, int64(cpu), int64(time.Second)), mulDiv(p.PerGBSecond, mibMillis, msPerGBSecond)))
}

// mulDiv returns a*b/c to the nearest without overflow on the way; a result that
// does not fit is the largest number.
func mulDiv(a, b, c int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	//nolint:gosec // all three are positive
	x, y, by := uint64(a), uint64(b), uint64(c)
	hi, lo := bits.Mul64(x, y)
	lo, carry := bits.Add64(lo, by/2, 0)
	hi += carry
	if hi >= by {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, by)
	return int64(min(quotient, math.MaxInt64))
}

func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
