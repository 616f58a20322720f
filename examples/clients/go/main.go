// go run . HOST PORT
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"sort"
	"time"

	kv "example/generated/ringwright"
	"example/pool"

	"github.com/apache/thrift/lib/go/thrift"
)

func main() {
	ctx := context.Background()
	p := pool.New(net.JoinHostPort(os.Args[1], os.Args[2]), 8, 2*time.Second)
	key := []byte("cart-go")

	// A context says what a put replaces; without one it is concurrent with all that is there.
	for _, value := range []string{"eggs", "milk"} {
		must(p.Put(ctx, &kv.PutRequest{Key: key, Value: []byte(value)}))
	}
	seen := must(p.Get(ctx, &kv.GetRequest{Key: key}))
	var values [][]byte
	for _, sibling := range seen.Siblings {
		values = append(values, sibling.Value)
	}
	sort.Slice(values, func(i, j int) bool { return bytes.Compare(values[i], values[j]) < 0 })
	fmt.Printf("siblings: %s\n", bytes.Join(values, []byte(" ")))

	// Merge what concurrent writers left, and replace all that was read.
	merged := &kv.PutRequest{Key: key, Value: bytes.Join(values, []byte(", ")), Context: seen.Context}
	written := must(p.Put(ctx, merged))
	fmt.Printf("merged: %s\n", must(p.Get(ctx, &kv.GetRequest{Key: key})).Siblings[0].Value)

	// The context of a put covers it, so that the same client can go on without reading again.
	must(p.Remove(ctx, &kv.RemoveRequest{Key: key, Context: written.Context}))
	fmt.Printf("deleted: %d siblings\n", len(must(p.Get(ctx, &kv.GetRequest{Key: key})).Siblings))

	// Optional fields are pointers.
	_, err := p.Get(ctx, &kv.GetRequest{Key: key, Keyspace: thrift.StringPtr("nowhere")})
	var refused *kv.KVError
	if !errors.As(err, &refused) {
		log.Fatal(err)
	}
	words := map[bool]string{false: "no", true: "yes"}
	fmt.Printf("refused: %s\nworth another try: %s, may have happened: %s\n", refused.Message,
		words[refused.Retryable], words[refused.OutcomeUnknown])
}

func must[T any](answer T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return answer
}
