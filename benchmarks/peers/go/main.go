// The limit without Python: fields are scanned, sums are kept in maps, nothing is durable.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type stood struct {
	stage string
	at    int64
}

type row struct {
	N       int64            `json:"n"`
	Created int64            `json:"created"`
	Won     int64            `json:"won"`
	Lost    int64            `json:"lost"`
	Amt     int64            `json:"amt"`
	Late    int64            `json:"late"`
	Ds      map[string]int64 `json:"ds"`
	Dc      map[string]int64 `json:"dc"`
}

var (
	count  atomic.Int64
	deals  = map[string]stood{}
	rows   = map[string]*row{}
	stages = map[string]string{}
	days   = map[string]int64{}
)

func field(event []byte, before string) []byte {
	begin := bytes.Index(event, []byte(before))
	if begin < 0 {
		return nil
	}
	rest := event[begin+len(before):]
	return rest[:bytes.IndexByte(rest, '"')]
}

func number(digits []byte) (value int64) {
	for _, digit := range digits {
		value = value*10 + int64(digit-'0')
	}
	return
}

func ms(at []byte) int64 {
	day, known := days[string(at[:10])]
	if !known {
		begin, _ := time.Parse("2006-01-02", string(at[:10]))
		day = begin.UnixMilli()
		days[string(at[:10])] = day
	}
	return day + number(at[11:13])*3600000 + number(at[14:16])*60000 + number(at[17:19])*1000 + number(at[20:23])
}

func cents(event []byte) int64 {
	rest := event[bytes.Index(event, []byte(`"amount":`))+9:]
	amount, _ := strconv.ParseFloat(string(rest[:bytes.IndexByte(rest, ',')]), 64)
	return int64(amount*100 + .5)
}

func take(event []byte) {
	at := field(event, `"occurred_at":"`)
	key := append(append(append(make([]byte, 0, 24), field(event, `"rep_id":"`)...), '|'), at[:10]...)
	sums := rows[string(key)]
	if sums == nil {
		sums = &row{Ds: map[string]int64{}, Dc: map[string]int64{}}
		rows[string(key)] = sums
	}
	sums.N++
	switch string(field(event, `"type":"`)) {
	case "deal.created":
		sums.Created++
	case "deal.lost":
		sums.Lost++
	case "deal.won":
		sums.Won++
		sums.Amt += cents(event)
	}
	name := field(event, `"stage":"`)
	stage, known := stages[string(name)]
	if !known {
		stage = string(name)
		stages[stage] = stage
	}
	when, id := ms(at), field(event, `"deal_id":"`)
	deal, known := deals[string(id)]
	if known && when < deal.at {
		sums.Late++
		return
	}
	if known {
		sums.Ds[deal.stage] += when - deal.at
		sums.Dc[deal.stage]++
	}
	deals[string(id)] = stood{stage, when}
}

func sayProgress() {
	for said := int64(-1); ; time.Sleep(100 * time.Millisecond) {
		if now := count.Load(); now != said {
			fmt.Printf("PROG %.3f %d\n", float64(time.Now().UnixMilli())/1000, now)
			said = now
		}
	}
}

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("BROKER")),
		kgo.ConsumeTopics(os.Getenv("TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(4<<20),
	)
	if err != nil {
		panic(err)
	}
	go sayProgress()
	running, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	for running.Err() == nil {
		taken := int64(0)
		client.PollFetches(running).EachRecord(func(record *kgo.Record) {
			take(record.Value)
			taken++
		})
		count.Add(taken)
	}
	text, _ := json.Marshal(rows)
	if err := os.WriteFile(os.Getenv("STATE_DIR")+"/rows.json", text, 0o644); err != nil {
		panic(err)
	}
}
