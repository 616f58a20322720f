// What tests/clients/test_stock_clients.py asks of a client, over the generated code alone.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	kv "example/generated/ringwright"
	"example/pool"

	"github.com/apache/thrift/lib/go/thrift"
)

var (
	ctx    = context.Background()
	all    = kv.ConsistencyPtr(kv.Consistency_ALL)
	lastID = int64(1) << 60 // more than a double holds
	stdin  = bufio.NewReader(os.Stdin)
)

func main() {
	log.SetFlags(log.Lshortfile)
	mode, address := os.Args[1], net.JoinHostPort(os.Args[2], os.Args[3])
	switch mode {
	case "late":
		late(connect(address, "binary", 300*time.Millisecond), os.Args[4])
	case "late-pool":
		latePool(pool.New(address, 1, 300*time.Millisecond), os.Args[4])
	default:
		scenario(connect(address, mode, 10*time.Second), mode)
		fmt.Println("passed")
	}
}

func scenario(client *kv.KVClient, protocol string) {
	prefix := append([]byte("go-"+protocol+"-"), random(8)...)
	greet(client)
	oneKey(client, prefix)
	manyKeys(client, prefix)
	refusals(client, prefix)
}

func connect(address, protocol string, timeout time.Duration) *kv.KVClient {
	settings := &thrift.TConfiguration{ConnectTimeout: timeout, SocketTimeout: timeout}
	framed := thrift.NewTFramedTransportConf(thrift.NewTSocketConf(address, settings), settings)
	check(framed.Open() == nil, "no connection to", address)
	var over thrift.TProtocol = thrift.NewTBinaryProtocolConf(framed, settings)
	if protocol == "compact" {
		over = thrift.NewTCompactProtocolConf(framed, settings)
	}
	return kv.NewKVClient(thrift.NewTStandardClient(over, over))
}

func check(holds bool, notes ...any) {
	if !holds {
		log.Output(2, fmt.Sprintln(notes...))
		os.Exit(1)
	}
}

func must[T any](answer T, err error) T {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
	return answer
}

func refusal[T any](_ T, err error) *kv.KVError {
	var refused *kv.KVError
	check(errors.As(err, &refused), "no KVError:", err)
	check(refused.RequestID == lastID, refused)
	return refused
}

func newID() int64 {
	lastID++
	return lastID
}

func random(size int) []byte {
	drawn := make([]byte, size)
	must(rand.Read(drawn))
	return drawn
}

func values(answer *kv.GetResponse) string {
	var found []string
	for _, sibling := range answer.Siblings {
		found = append(found, string(sibling.Value))
	}
	sort.Strings(found)
	return strings.Join(found, "|")
}

func greet(client *kv.KVClient) {
	info := must(client.Hello(ctx, &kv.ClientInfo{ProtocolLevel: 1, ProtocolLevelMin: 1, Name: "check"}))
	check(info.ProtocolLevel == 1 && info.Cluster == "lab" && info.Node == "node1", info)
	check(!info.UnorderedReplies && info.FrameBytesMax == 15<<20, info)
	_, err := client.Hello(ctx, &kv.ClientInfo{ProtocolLevel: 9, ProtocolLevelMin: 9})
	var refused *kv.KVError
	check(errors.As(err, &refused) && refused.Code == kv.ErrorCode_MISMATCH, err)

	topology := must(client.Topology(ctx, &kv.TopologyRequest{RequestID: newID()}))
	check(topology.RequestID == lastID && len(topology.Owners) == 256, topology)
	check(len(topology.Members) == 3 && topology.Members[2].Name == "node3", topology)
	check(len(topology.Members[0].ID) == 16 && topology.Members[0].ClientAddress != "", topology)
	kinds := map[string]string{}
	for _, space := range topology.Keyspaces {
		kinds[space.Name] = fmt.Sprint(space.RecordKind, space.N, space.R, space.W)
	}
	check(reflect.DeepEqual(kinds, map[string]string{"default": "siblings3 2 2", "last": "lww3 2 2"}), kinds)
}

func oneKey(client *kv.KVClient, key []byte) {
	get := func(level *kv.Consistency) *kv.GetResponse {
		answer := must(client.Get(ctx, &kv.GetRequest{RequestID: newID(), Key: key, Consistency: level}))
		check(answer.RequestID == lastID && bytes.Equal(answer.Key, key), answer)
		return answer
	}
	put := func(value string, seen []byte) *kv.PutResponse {
		answer := must(client.Put(ctx,
			&kv.PutRequest{RequestID: newID(), Key: key, Value: []byte(value), Context: seen}))
		check(answer.RequestID == lastID && bytes.Equal(answer.Key, key), answer)
		return answer
	}
	remove := func(seen []byte) {
		answer := must(client.Remove(ctx, &kv.RemoveRequest{RequestID: newID(), Key: key, Context: seen}))
		check(answer.RequestID == lastID && bytes.Equal(answer.Key, key), answer)
	}
	binary := make([]byte, 256) // neither text nor free of zeros
	for i := range binary {
		binary[i] = byte(i)
	}

	absent := get(nil)
	check(len(absent.Siblings) == 0, absent)
	first := put(string(binary), absent.Context)
	read := get(all)
	check(values(read) == string(binary) && read.Coordinator == "node1", read)
	sibling := read.Siblings[0]
	check(bytes.Equal(sibling.Event, first.Event) && sibling.Origin != "", sibling)
	age := time.Since(time.UnixMicro(sibling.TimestampUs))
	check(age.Abs() < time.Hour, age)

	put("left", first.Context)
	put("right", first.Context)
	both := get(all)
	check(values(both) == "left|right", both)
	merged := must(client.Put(ctx, &kv.PutRequest{RequestID: newID(), Key: key, Value: []byte("both"),
		Context: both.Context, W: thrift.Int32Ptr(3), ClientID: random(16)}))
	check(values(get(nil)) == "both")

	put("blind", nil) // no context: concurrent with all that is there
	check(values(get(nil)) == "blind|both")
	remove(merged.Context)
	check(values(get(nil)) == "blind", "only what the context had seen may go")
	remove(get(nil).Context)
	check(values(get(all)) == "")
}

func manyKeys(client *kv.KVClient, prefix []byte) {
	var keys [][]byte
	var items []*kv.PutItem
	for i := byte(200); i < 220; i++ {
		key := append(append([]byte{}, prefix...), i, i+1)
		keys = append(keys, key)
		items = append(items, &kv.PutItem{Key: key, Value: append([]byte("of "), key...)})
	}
	items = append(items, &kv.PutItem{Key: make([]byte, 1025)})
	putMany := must(client.PutMany(ctx, &kv.PutManyRequest{RequestID: newID(), Items: items}))
	stored := putMany.Results
	check(putMany.RequestID == lastID && len(stored) == 21, putMany)
	check(stored[20].Response == nil && stored[20].Error.Code == kv.ErrorCode_INVALID, stored[20])
	check(stored[0].Error == nil && bytes.Equal(stored[19].Response.Key, keys[19]), stored)

	gone := &kv.PutItem{Key: keys[3], Remove: thrift.BoolPtr(true), Context: stored[3].Response.Context}
	removal := must(client.PutMany(ctx, &kv.PutManyRequest{RequestID: newID(), Items: []*kv.PutItem{gone}}))
	check(removal.Results[0].Error == nil, removal)

	getMany := must(client.GetMany(ctx, &kv.GetManyRequest{RequestID: newID(),
		Keys: append(append([][]byte{}, keys...), []byte{}), Consistency: all}))
	check(getMany.RequestID == lastID && len(getMany.Results) == 21, getMany)
	check(getMany.Results[20].Error.Code == kv.ErrorCode_INVALID, getMany.Results[20])
	for i, key := range keys {
		found := getMany.Results[i].Response
		wanted := "of " + string(key)
		if i == 3 {
			wanted = ""
		}
		check(bytes.Equal(found.Key, key) && values(found) == wanted, i, found)
	}
}

func refusals(client *kv.KVClient, prefix []byte) {
	key := append(append([]byte{}, prefix...), "-refused"...)
	refused := refusal(client.Get(ctx,
		&kv.GetRequest{RequestID: newID(), Key: key, Keyspace: thrift.StringPtr("nowhere")}))
	check(refused.Code == kv.ErrorCode_INVALID && bytes.Equal(refused.Key, key), refused)
	check(!refused.Retryable && !refused.OutcomeUnknown, refused)
	check(strings.Contains(refused.Message, "nowhere"), refused)
	refused = refusal(client.Put(ctx, &kv.PutRequest{RequestID: newID(), Key: key, W: thrift.Int32Ptr(4)}))
	check(refused.Code == kv.ErrorCode_INVALID, refused)
	refused = refusal(client.Put(ctx, &kv.PutRequest{RequestID: newID(), Key: key, Value: random(1<<20 + 1)}))
	check(refused.Code == kv.ErrorCode_INVALID, refused)
	refused = refusal(client.GetMany(ctx, &kv.GetManyRequest{RequestID: newID()}))
	check(refused.Code == kv.ErrorCode_INVALID, refused)

	largest := random(1 << 20)
	must(client.Put(ctx, &kv.PutRequest{RequestID: newID(), Key: key, Value: largest}))
	read := must(client.Get(ctx, &kv.GetRequest{RequestID: newID(), Key: key}))
	check(values(read) == string(largest))
}

// late is a call that times out, and the next one on the same connection.
func late(client *kv.KVClient, suffix string) {
	for _, name := range []string{"late-a", "late-b"} {
		must(client.Put(ctx, &kv.PutRequest{RequestID: newID(), Key: []byte(name + suffix), Value: []byte(name)}))
	}
	say("ready")
	asked := newID()
	_, err := client.Get(ctx, &kv.GetRequest{RequestID: asked, Key: []byte("late-a" + suffix)})
	checkTimedOut(err)
	answer, err := client.Get(ctx, &kv.GetRequest{RequestID: newID(), Key: []byte("late-b" + suffix)})
	var refused thrift.TApplicationException
	switch {
	case errors.As(err, &refused) && refused.TypeId() == thrift.BAD_SEQUENCE_ID:
		say("out of sequence")
	case must(answer, err).RequestID == asked:
		say("the earlier answer")
	default:
		say(values(answer))
	}
}

// latePool is the same through the pool of the example.
func latePool(p *pool.Pool, suffix string) {
	for _, name := range []string{"late-a", "late-b"} {
		must(p.Put(ctx, &kv.PutRequest{Key: []byte(name + suffix), Value: []byte(name)}))
	}
	say("ready")
	_, err := p.Get(ctx, &kv.GetRequest{Key: []byte("late-a" + suffix)})
	checkTimedOut(err)
	say(values(must(p.Get(ctx, &kv.GetRequest{Key: []byte("late-b" + suffix)}))))
}

func checkTimedOut(err error) {
	var failed thrift.TTransportException
	check(errors.As(err, &failed) && failed.TypeId() == thrift.TIMED_OUT, err)
	say("timed out")
}

// say tells the test, and waits until it says to go on.
func say(line string) {
	fmt.Println(line)
	must(stdin.ReadString('\n'))
}
