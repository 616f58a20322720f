// Package pool keeps connections to one node, over what the Thrift compiler generates: copy it,
// change it.
package pool

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	kv "example/generated/ringwright"

	"github.com/apache/thrift/lib/go/thrift"
)

const attempts = 3

// Pool may be used by any number of goroutines; each connection serves one of them at a time.
type Pool struct {
	address  string
	settings *thrift.TConfiguration
	clientID []byte
	lastID   atomic.Int64
	idle     chan *connection
}

type connection struct {
	*kv.KVClient
	transport thrift.TTransport
}

// New makes a pool of at most size connections. The timeout, of connecting and of each answer, must
// be longer than the requests' timeout_ms.
func New(address string, size int, timeout time.Duration) *Pool {
	p := &Pool{
		address:  address,
		settings: &thrift.TConfiguration{ConnectTimeout: timeout, SocketTimeout: timeout},
		clientID: make([]byte, 16),
		idle:     make(chan *connection, size),
	}
	if _, err := rand.Read(p.clientID); err != nil {
		panic(err)
	}
	for i := 0; i < size; i++ {
		p.idle <- nil // opened when it is first needed
	}
	return p
}

// Get, Put and Remove send the request under an id of its own, and again under the same one if that
// helps: the client's id makes a put that comes twice count once.

func (p *Pool) Get(ctx context.Context, q *kv.GetRequest) (*kv.GetResponse, error) {
	q.RequestID = p.lastID.Add(1)
	return call(ctx, p, q, func(c *connection) (*kv.GetResponse, error) { return c.Get(ctx, q) })
}

func (p *Pool) Put(ctx context.Context, q *kv.PutRequest) (*kv.PutResponse, error) {
	q.RequestID, q.ClientID = p.lastID.Add(1), p.clientID
	return call(ctx, p, q, func(c *connection) (*kv.PutResponse, error) { return c.Put(ctx, q) })
}

func (p *Pool) Remove(ctx context.Context, q *kv.RemoveRequest) (*kv.PutResponse, error) {
	q.RequestID, q.ClientID = p.lastID.Add(1), p.clientID
	return call(ctx, p, q, func(c *connection) (*kv.PutResponse, error) { return c.Remove(ctx, q) })
}

// named is what requests, responses and KVError have in common.
type named interface {
	GetRequestID() int64
	GetKey() []byte
}

func call[R named](ctx context.Context, p *Pool, asked named, send func(*connection) (R, error)) (R, error) {
	for attempt := 1; ; attempt++ {
		answer, err := callOnce(p, asked, send)
		if err == nil || attempt == attempts || ctx.Err() != nil {
			return answer, err
		}
		var refused *kv.KVError
		if errors.As(err, &refused) {
			if !refused.Retryable && !refused.OutcomeUnknown {
				return answer, err
			}
			time.Sleep(time.Duration(refused.RetryAfterMs) * time.Millisecond)
		}
	}
}

func callOnce[R named](p *Pool, asked named, send func(*connection) (R, error)) (answer R, err error) {
	c := <-p.idle
	defer func() { p.idle <- c }()
	if c == nil {
		if c, err = p.connect(); err != nil {
			return answer, err
		}
	}
	answer, err = send(c)
	var echo named = answer
	var refused *kv.KVError
	if errors.As(err, &refused) {
		echo = refused
	} else if err != nil {
		// The answer may still come, and the next call would meet it.
		c.transport.Close()
		c = nil
		return answer, err
	}
	if echo.GetRequestID() != asked.GetRequestID() || !bytes.Equal(echo.GetKey(), asked.GetKey()) {
		c.transport.Close()
		c = nil
		return answer, errors.New("this is the answer of an earlier call")
	}
	return answer, err
}

func (p *Pool) connect() (*connection, error) {
	framed := thrift.NewTFramedTransportConf(thrift.NewTSocketConf(p.address, p.settings), p.settings)
	if err := framed.Open(); err != nil {
		return nil, err
	}
	protocol := thrift.NewTBinaryProtocolConf(framed, p.settings) // strict unless told otherwise
	return &connection{kv.NewKVClient(thrift.NewTStandardClient(protocol, protocol)), framed}, nil
}
