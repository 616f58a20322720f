// A load client for etcd with the commands and the output of bench/load.cc: C connections with W
// callers each, puts or gets of keys drawn uniformly from a fixed key space.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	requestTimeout = 10 * time.Second
	fillerBytes    = 64 * 1024
)

type settings struct {
	endpoints   []string
	connections int
	window      int
	keys        int
	valueBytes  int
	seed        int64
}

// One line of output; the names are those of bench/load.cc.
type result struct {
	Operations  int            `json:"operations"`
	Seconds     float64        `json:"seconds"`
	Rate        float64        `json:"rate"`
	P50         float64        `json:"p50_us"`
	P99         float64        `json:"p99_us"`
	P999        float64        `json:"p999_us"`
	ClientCPU   float64        `json:"client_cpu_us"`
	Errors      map[string]int `json:"errors"`
	Absent      int            `json:"absent"`
	Siblings    int            `json:"siblings"`
	mismatches  int
	latenciesUs []float64
}

// What one caller does and has seen. Belongs to its goroutine.
type caller struct {
	client *clientv3.Client
	random *rand.Rand
	value  []byte
	seen   result
}

type load struct {
	settings settings
	filler   []byte
	callers  []*caller
}

func keyOf(index int) string { return fmt.Sprintf("key%013d", index) }

func newLoad(wanted settings) (*load, error) {
	random := rand.New(rand.NewSource(wanted.seed))
	filler := make([]byte, fillerBytes+wanted.valueBytes)
	random.Read(filler)
	made := &load{settings: wanted, filler: filler}
	for i := 0; i < wanted.connections; i++ {
		// A connection of its own to one member, as the other systems' clients have.
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   []string{wanted.endpoints[i%len(wanted.endpoints)]},
			DialTimeout: requestTimeout,
		})
		if err != nil {
			return nil, err
		}
		for j := 0; j < wanted.window; j++ {
			made.callers = append(made.callers, &caller{
				client: client,
				random: rand.New(rand.NewSource(random.Int63())),
				value:  make([]byte, wanted.valueBytes),
			})
		}
	}
	return made, nil
}

func (l *load) put(ctx context.Context, c *caller, index int) error {
	key := keyOf(index)
	copy(c.value, l.filler[c.random.Intn(fillerBytes):])
	copy(c.value, key)
	_, err := c.client.Put(ctx, key, string(c.value))
	return err
}

func (l *load) get(ctx context.Context, c *caller, index int) error {
	key := keyOf(index)
	answer, err := c.client.Get(ctx, key)
	if err != nil {
		return err
	}
	if len(answer.Kvs) == 0 {
		c.seen.Absent++
		return nil
	}
	head := []byte(key)
	if len(head) > l.settings.valueBytes {
		head = head[:l.settings.valueBytes]
	}
	value := answer.Kvs[0].Value
	if len(value) != l.settings.valueBytes || !bytes.HasPrefix(value, head) {
		c.seen.mismatches++
	}
	return nil
}

func errorName(err error) string {
	if known, ok := rpctypes.Error(err).(rpctypes.EtcdError); ok {
		return known.Code().String()
	}
	return err.Error()
}

func cpuMicroseconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	of := func(t syscall.Timeval) float64 { return float64(t.Sec)*1e6 + float64(t.Usec) }
	return of(usage.Utime) + of(usage.Stime)
}

// Calls `next` for the key of each request until it says that there is none.
func (l *load) run(ctx context.Context, operation func(context.Context, *caller, int) error,
	next func(*caller) (int, bool)) result {
	var all sync.WaitGroup
	begun, cpu := time.Now(), cpuMicroseconds()
	for _, c := range l.callers {
		c.seen = result{Errors: map[string]int{}}
		all.Add(1)
		go func(c *caller) {
			defer all.Done()
			for ctx.Err() == nil {
				index, more := next(c)
				if !more {
					return
				}
				sent := time.Now()
				limited, done := context.WithTimeout(ctx, requestTimeout)
				err := operation(limited, c, index)
				done()
				if err != nil {
					c.seen.Errors[errorName(err)]++
					continue
				}
				c.seen.latenciesUs = append(c.seen.latenciesUs,
					float64(time.Since(sent).Nanoseconds())/1e3)
			}
		}(c)
	}
	all.Wait()
	return l.sum(time.Since(begun).Seconds(), cpuMicroseconds()-cpu)
}

func (l *load) sum(seconds, cpu float64) result {
	total := result{Seconds: seconds, ClientCPU: cpu, Errors: map[string]int{}}
	var latencies []float64
	for _, c := range l.callers {
		latencies = append(latencies, c.seen.latenciesUs...)
		total.Absent += c.seen.Absent
		total.mismatches += c.seen.mismatches
		for name, count := range c.seen.Errors {
			total.Errors[name] += count
		}
	}
	sort.Float64s(latencies)
	quantile := func(share float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return latencies[int(share*float64(len(latencies)-1))]
	}
	total.Operations = len(latencies)
	total.Rate = float64(total.Operations) / seconds
	total.P50, total.P99, total.P999 = quantile(0.5), quantile(0.99), quantile(0.999)
	return total
}

func (l *load) obey(ctx context.Context, command string) (result, error) {
	words := strings.Fields(command)
	if len(words) == 1 && words[0] == "preload" {
		var given int64 = -1
		return l.run(ctx, l.put, func(*caller) (int, bool) {
			index := int(atomic.AddInt64(&given, 1))
			return index, index < l.settings.keys
		}), nil
	}
	if len(words) != 2 || (words[0] != "put" && words[0] != "get") {
		return result{}, fmt.Errorf("'%s' is no command; write: preload, put SECONDS or get SECONDS",
			command)
	}
	seconds, err := strconv.ParseFloat(words[1], 64)
	if err != nil || seconds <= 0 {
		return result{}, fmt.Errorf("'%s' is no number of seconds", words[1])
	}
	until := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	operation := l.put
	if words[0] == "get" {
		operation = l.get
	}
	return l.run(ctx, operation, func(c *caller) (int, bool) {
		return c.random.Intn(l.settings.keys), time.Now().Before(until)
	}), nil
}

func stop(why error) {
	fmt.Fprintln(os.Stderr, "benchmark stopped:", why)
	os.Exit(1)
}

func main() {
	var wanted settings
	addresses := flag.String("addresses", "", "host:port of each member, with commas between")
	flag.IntVar(&wanted.connections, "connections", 4, "connections")
	flag.IntVar(&wanted.window, "window", 16, "callers on each connection")
	flag.IntVar(&wanted.keys, "keys", 100000, "keys of the key space")
	flag.IntVar(&wanted.valueBytes, "value-bytes", 100, "bytes of a value")
	flag.Int64Var(&wanted.seed, "seed", 42, "decides keys and values")
	flag.Parse()
	if *addresses == "" || wanted.connections < 1 || wanted.window < 1 || wanted.keys < 1 {
		stop(fmt.Errorf("--addresses is needed, and a connection, a caller and a key at least"))
	}
	wanted.endpoints = strings.Split(*addresses, ",")
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	made, err := newLoad(wanted)
	if err != nil {
		stop(err)
	}
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		answer, err := made.obey(ctx, commands.Text())
		if err != nil {
			stop(err)
		}
		if ctx.Err() != nil {
			stop(ctx.Err())
		}
		if answer.mismatches > 0 {
			stop(fmt.Errorf("%d values are not what was put under their keys", answer.mismatches))
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			stop(err)
		}
	}
}
