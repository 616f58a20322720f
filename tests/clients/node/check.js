'use strict';
// What tests/clients/test_stock_clients.py asks of a client, over the generated code alone.

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const readline = require('node:readline');
const Int64 = require('node-int64');
const thrift = require('thrift');
const KV = require('./generated/KV');
const kv = require('./generated/ringwright_types');
const { Pool } = require('./pool');

const PROTOCOLS = { binary: thrift.TBinaryProtocol, compact: thrift.TCompactProtocol };
const ALL = kv.Consistency.ALL;
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let lastId = 1n << 60n; // more than a double holds

function newId() {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(++lastId);
  return new Int64(bytes);
}

function connect(host, port, protocol) {
  const socket = thrift.createConnection(host, port, {
    transport: thrift.TFramedTransport,
    protocol: PROTOCOLS[protocol],
  });
  socket.on('error', (error) => fail(error));
  return { socket, client: thrift.createClient(KV, socket) };
}

function checked(answer, request) {
  assert.deepEqual(answer.request_id.toBuffer(), request.request_id.toBuffer());
  if (request.key) assert.deepEqual(Buffer.from(answer.key), Buffer.from(request.key));
  return answer;
}

function values(answer) {
  return answer.siblings.map((sibling) => sibling.value.toString('latin1')).sort();
}

async function refusal(request, outcome) {
  const error = await outcome.then(() => assert.fail('no error'), (thrown) => thrown);
  assert(error instanceof kv.KVError, error);
  return checked(error, request);
}

async function greet(client) {
  const info = await client.hello(
    new kv.ClientInfo({ protocol_level: 1, protocol_level_min: 1, name: 'check' }));
  assert.deepEqual(
    [info.protocol_level, info.cluster, info.node, info.unordered_replies, info.frame_bytes_max],
    [1, 'lab', 'node1', false, 15 * 1024 * 1024]);
  await assert.rejects(
    client.hello(new kv.ClientInfo({ protocol_level: 9, protocol_level_min: 9 })),
    (error) => error.code === kv.ErrorCode.MISMATCH);

  const request = new kv.TopologyRequest({ request_id: newId() });
  const topology = checked(await client.topology(request), request);
  assert.deepEqual(topology.members.map((member) => member.name), ['node1', 'node2', 'node3']);
  assert(topology.members.every((member) => member.id.length === 16 && member.client_address));
  assert.equal(topology.owners.length, 256);
  const spaces = topology.keyspaces.map(
    (space) => [space.name, space.record_kind, space.n, space.r, space.w].join(' ')).sort();
  assert.deepEqual(spaces, ['default siblings 3 2 2', 'last lww 3 2 2']);
}

async function oneKey(client, key) {
  const get = async (more) => {
    const request = new kv.GetRequest({ request_id: newId(), key, ...more });
    return checked(await client.get(request), request);
  };
  const put = async (value, more) => {
    const request = new kv.PutRequest({ request_id: newId(), key, value, ...more });
    return checked(await client.put(request), request);
  };
  const remove = async (context) => {
    const request = new kv.RemoveRequest({ request_id: newId(), key, context });
    checked(await client.remove(request), request);
  };
  const bytes = Buffer.from([...Array(256).keys()]); // neither text nor free of zeros

  const absent = await get();
  assert.deepEqual(values(absent), []);
  const first = await put(bytes, { context: absent.context });
  const read = await get({ consistency: ALL });
  assert.deepEqual(values(read), [bytes.toString('latin1')]);
  assert.equal(read.coordinator, 'node1');
  const [sibling] = read.siblings;
  assert.deepEqual(Buffer.from(sibling.event), Buffer.from(first.event));
  assert(sibling.origin && Math.abs(sibling.timestamp_us.toNumber() / 1000 - Date.now()) < 3.6e6);

  await put(Buffer.from('left'), { context: first.context });
  await put(Buffer.from('right'), { context: first.context });
  const both = await get({ r: 3 });
  assert.deepEqual(values(both), ['left', 'right']);
  const merged = await put(Buffer.from('both'),
    { context: both.context, consistency: ALL, client_id: randomBytes(16) });
  assert.deepEqual(values(await get()), ['both']);

  await put(Buffer.from('blind')); // no context: concurrent with all that is there
  assert.deepEqual(values(await get()), ['blind', 'both']);
  await remove(merged.context);
  assert.deepEqual(values(await get()), ['blind'], 'only what the context had seen may go');
  await remove((await get()).context);
  assert.deepEqual(values(await get({ r: 3 })), []);
}

async function manyKeys(client, prefix) {
  const keys = Array.from({ length: 20 }, (_, i) => Buffer.concat([prefix, Buffer.of(200 + i)]));
  const items = keys.map(
    (key) => new kv.PutItem({ key, value: Buffer.concat([Buffer.from('of '), key]) }));
  items.push(new kv.PutItem({ key: Buffer.alloc(1025), value: Buffer.alloc(0) }));
  let request = new kv.PutManyRequest({ request_id: newId(), items });
  const stored = checked(await client.put_many(request), request).results;
  assert.equal(stored.length, 21);
  assert(stored[20].response === null && stored[20].error.code === kv.ErrorCode.INVALID);
  assert(stored[0].error === null && stored[19].response.key.equals(keys[19]));

  const context = stored[3].response.context;
  const gone = [new kv.PutItem({ key: keys[3], remove: true, context })];
  request = new kv.PutManyRequest({ request_id: newId(), items: gone });
  assert((await client.put_many(request)).results[0].response.key.equals(keys[3]));

  request = new kv.GetManyRequest(
    { request_id: newId(), keys: [...keys, Buffer.alloc(0)], consistency: ALL });
  const found = checked(await client.get_many(request), request).results;
  assert.equal(found.length, 21);
  assert.equal(found[20].error.code, kv.ErrorCode.INVALID);
  keys.forEach((key, i) => {
    assert(found[i].response.key.equals(key));
    const wanted = i === 3 ? [] : [`of ${key.toString('latin1')}`];
    assert.deepEqual(values(found[i].response), wanted);
  });
}

async function refusals(client, key) {
  let request = new kv.GetRequest({ request_id: newId(), key, keyspace: 'nowhere' });
  let error = await refusal(request, client.get(request));
  assert.equal(error.code, kv.ErrorCode.INVALID);
  assert(!error.retryable && !error.outcome_unknown && error.message.includes('nowhere'));
  request = new kv.PutRequest({ request_id: newId(), key, value: Buffer.alloc(0), w: 4 });
  error = await refusal(request, client.put(request));
  assert.equal(error.code, kv.ErrorCode.INVALID);
  request = new kv.PutRequest({ request_id: newId(), key, value: randomBytes(2 ** 20 + 1) });
  error = await refusal(request, client.put(request));
  assert.equal(error.code, kv.ErrorCode.INVALID);
  request = new kv.GetManyRequest({ request_id: newId(), keys: [] });
  error = await refusal(request, client.get_many(request));
  assert.equal(error.code, kv.ErrorCode.INVALID);

  const value = randomBytes(2 ** 20);
  request = new kv.PutRequest({ request_id: newId(), key, value });
  checked(await client.put(request), request);
  request = new kv.GetRequest({ request_id: newId(), key });
  assert((await client.get(request)).siblings[0].value.equals(value));
}

async function scenario(host, port, protocol) {
  const { socket, client } = connect(host, port, protocol);
  const prefix = Buffer.concat([Buffer.from(`node-${protocol}-`), randomBytes(8)]);
  await greet(client);
  await oneKey(client, prefix);
  await manyKeys(client, prefix);
  await refusals(client, Buffer.concat([prefix, Buffer.from('-refused')]));
  socket.end();
  console.log('passed');
}

// A call that times out, and the next one on the same connection.
async function late(host, port, keys) {
  const { socket, client } = connect(host, port, 'binary');
  for (const [name, key] of Object.entries(keys)) {
    const value = Buffer.from(name);
    await client.put(new kv.PutRequest({ request_id: newId(), key, value }));
  }
  await say('ready');
  const asked = new kv.GetRequest({ request_id: newId(), key: keys['late-a'] });
  const first = client.get(asked);
  const limit = new Promise((resolve) => setTimeout(resolve, 300, 'too late'));
  assert.equal(await Promise.race([first, limit]), 'too late');
  await say('timed out');
  const request = new kv.GetRequest({ request_id: newId(), key: keys['late-b'] });
  const answer = await client.get(request);
  await say(answer.request_id.equals(asked.request_id)
    ? 'the earlier answer'
    : values(checked(answer, request)).join('|'));
  socket.end();
}

// The same through the pool of the example.
async function latePool(host, port, keys) {
  const pool = new Pool(host, port, { size: 1, timeoutMs: 300 });
  for (const [name, key] of Object.entries(keys)) await pool.put({ key, value: Buffer.from(name) });
  await say('ready');
  await assert.rejects(pool.get({ key: keys['late-a'] }, 1), /no answer within/);
  await say('timed out');
  await say(values(await pool.get({ key: keys['late-b'] })).join('|'));
  pool.close();
}

// Tells the test, and waits until it says to go on.
async function say(line) {
  console.log(line);
  await lines.next();
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function main([mode, host, port, suffix]) {
  const keys = Object.fromEntries(
    ['late-a', 'late-b'].map((name) => [name, Buffer.from(name + suffix)]));
  if (mode === 'late') await late(host, Number(port), keys);
  else if (mode === 'late-pool') await latePool(host, Number(port), keys);
  else await scenario(host, Number(port), mode);
  process.exit(0);
}

main(process.argv.slice(2)).catch(fail);
