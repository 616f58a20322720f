'use strict';
// A pool of connections to one node, over what the Thrift compiler generates: copy it, change it.

const { randomBytes } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const Int64 = require('node-int64');
const thrift = require('thrift');
const KV = require('./generated/KV');
const { GetRequest, KVError, PutRequest, RemoveRequest } = require('./generated/ringwright_types');

class Connection {
  constructor(host, port, timeoutMs) {
    this.timeoutMs = timeoutMs;
    this.isOpen = true;
    this.reject = () => {};
    this.socket = thrift.createConnection(host, port, {
      transport: thrift.TFramedTransport,
      protocol: thrift.TBinaryProtocol, // strict unless told otherwise
    });
    this.socket.on('error', (error) => this.close(error));
    this.socket.on('close', () => this.close(new Error('the connection was closed')));
    this.client = thrift.createClient(KV, this.socket);
  }

  // One call at a time. The library itself never ends a call that gets no answer.
  async call(method, request) {
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.reject = reject;
        const late = () => this.close(new Error(`no answer within ${this.timeoutMs} ms`));
        timer = setTimeout(late, this.timeoutMs);
        this.client[method](request).then(resolve, reject);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  close(why) {
    this.isOpen = false;
    this.socket.destroy();
    this.reject(why);
  }
}

class Pool {
  #clientId = randomBytes(16);
  #lastId = 0;
  #idle = [];
  #waiting = [];

  // `timeoutMs` must be longer than the requests' timeout_ms.
  constructor(host, port, { size = 8, timeoutMs = 2000 } = {}) {
    this.#idle = Array(size).fill(null); // opened when it is first needed
    this.open = () => new Connection(host, port, timeoutMs);
  }

  get(fields, attempts) {
    return this.#call('get', new GetRequest(this.#named(fields)), attempts);
  }

  put(fields, attempts) {
    return this.#call('put', new PutRequest(this.#named(fields)), attempts);
  }

  remove(fields, attempts) {
    return this.#call('remove', new RemoveRequest(this.#named(fields)), attempts);
  }

  close() {
    for (const connection of this.#idle) connection?.close();
  }

  // With the client's id a put that comes twice under one request id counts once.
  #named(fields) {
    return { ...fields, request_id: new Int64(++this.#lastId), client_id: this.#clientId };
  }

  // Sends the request, and again under the same id if that helps.
  async #call(method, request, attempts = 3) {
    for (let left = attempts - 1; ; --left) {
      try {
        return await this.#callOnce(method, request);
      } catch (error) {
        const isRefused = error instanceof KVError;
        const isFinal = isRefused && !error.retryable && !error.outcome_unknown;
        if (left === 0 || isFinal) throw error;
        if (isRefused) await sleep(error.retry_after_ms.toNumber());
      }
    }
  }

  async #callOnce(method, request) {
    let connection = this.#idle.length
      ? this.#idle.pop()
      : await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      if (!connection?.isOpen) connection = this.open();
      const outcome = connection.call(method, request);
      const answer = await outcome.catch((error) => {
        if (error instanceof KVError) return error;
        throw error;
      });
      if (!answer.request_id.equals(request.request_id) || !answer.key.equals(request.key)) {
        throw new Error('this is the answer of another call');
      }
      if (answer instanceof KVError) throw answer;
      return answer;
    } catch (error) {
      // The answer may still come: nobody else shall meet it.
      if (!(error instanceof KVError)) connection.close(error);
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next) next(connection);
      else this.#idle.push(connection);
    }
  }
}

module.exports = { Pool };
