import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.transport.TSocket;
import org.apache.thrift.transport.TTransport;
import org.apache.thrift.transport.layered.TFramedTransport;
import ringwright.kv.GetRequest;
import ringwright.kv.GetResponse;
import ringwright.kv.KV;
import ringwright.kv.KVError;
import ringwright.kv.PutRequest;
import ringwright.kv.PutResponse;
import ringwright.kv.RemoveRequest;

/**
 * A pool of connections to one node, over what the Thrift compiler generates: copy it, change it.
 * For any number of threads; each connection serves one of them at a time.
 */
final class Pool {
  private static final int ATTEMPTS = 3;

  private final String host;
  private final int port;
  private final int timeoutMs;
  private final byte[] clientId = new byte[16];
  private final AtomicLong lastId = new AtomicLong();
  private final BlockingQueue<Connection> idle;

  /** The timeout must be longer than the requests' timeout_ms. */
  Pool(String host, int port, int size, int timeoutMs) {
    this.host = host;
    this.port = port;
    this.timeoutMs = timeoutMs;
    new SecureRandom().nextBytes(clientId);
    idle = new ArrayBlockingQueue<>(size);
    for (int i = 0; i < size; i++) idle.add(new Connection());
  }

  // Each sends the request under an id of its own, and again under the same one if that helps: with
  // the client's id a put that comes twice counts once.

  GetResponse get(GetRequest request) throws TException, InterruptedException {
    long id = request.setRequest_id(lastId.incrementAndGet()).getRequest_id();
    return call(id, request.key, kv -> kv.get(request), a -> a.request_id, a -> a.key);
  }

  PutResponse put(PutRequest request) throws TException, InterruptedException {
    long id = request.setRequest_id(lastId.incrementAndGet()).getRequest_id();
    request.setClient_id(clientId);
    return call(id, request.key, kv -> kv.put(request), a -> a.request_id, a -> a.key);
  }

  PutResponse remove(RemoveRequest request) throws TException, InterruptedException {
    long id = request.setRequest_id(lastId.incrementAndGet()).getRequest_id();
    request.setClient_id(clientId);
    return call(id, request.key, kv -> kv.remove(request), a -> a.request_id, a -> a.key);
  }

  private interface Send<R> {
    R over(KV.Client kv) throws TException;
  }

  private <R> R call(
      long id, ByteBuffer key, Send<R> send, ToLongFunction<R> idOf, Function<R, ByteBuffer> keyOf)
      throws TException, InterruptedException {
    for (int left = ATTEMPTS - 1; ; left--) {
      Connection connection = idle.take();
      try {
        R answer = null;
        KVError refused = null;
        try {
          answer = send.over(connection.open());
        } catch (KVError error) {
          refused = error;
        }
        long echo = refused != null ? refused.request_id : idOf.applyAsLong(answer);
        if (id != echo || !key.equals(refused != null ? refused.key : keyOf.apply(answer)))
          throw new TException("this is the answer of an earlier call");
        if (refused == null) return answer;
        if (left == 0 || !(refused.retryable || refused.outcome_unknown)) throw refused;
        Thread.sleep(refused.retry_after_ms);
      } catch (KVError refused) {
        throw refused; // an answer like others: the connection stays
      } catch (TException failed) {
        // The answer may still come, and the next call would meet it.
        connection.close();
        if (left == 0) throw failed;
      } finally {
        idle.add(connection);
      }
    }
  }

  private final class Connection {
    private TTransport transport;
    private KV.Client kv;

    KV.Client open() throws TException {
      if (kv == null) {
        transport = new TFramedTransport(new TSocket(host, port, timeoutMs));
        transport.open();
        kv = new KV.Client(new TBinaryProtocol(transport)); // strict unless told otherwise
      }
      return kv;
    }

    void close() {
      if (transport != null) transport.close();
      kv = null;
    }
  }
}
