import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.thrift.TApplicationException;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TCompactProtocol;
import org.apache.thrift.transport.TSocket;
import org.apache.thrift.transport.TTransport;
import org.apache.thrift.transport.TTransportException;
import org.apache.thrift.transport.layered.TFramedTransport;
import ringwright.kv.*;

/** What tests/clients/test_stock_clients.py asks of a client, over the generated code alone. */
public final class Check {
  private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));
  private static long lastId = 1L << 60; // more than a double holds

  public static void main(String[] arguments) throws Exception {
    String host = arguments[1];
    int port = Integer.parseInt(arguments[2]);
    switch (arguments[0]) {
      case "late":
        late(connect(host, port, "binary", 300), arguments[3]);
        break;
      case "late-pool":
        latePool(new Pool(host, port, 1, 300), arguments[3]);
        break;
      default:
        scenario(connect(host, port, arguments[0], 10_000), arguments[0]);
        System.out.println("passed");
    }
  }

  private static void scenario(KV.Client kv, String protocol) throws TException {
    String prefix = "java-" + protocol + "-" + text(random(8));
    greet(kv);
    oneKey(kv, bytes(prefix));
    manyKeys(kv, prefix);
    refusals(kv, bytes(prefix + "-refused"));
  }

  private static KV.Client connect(String host, int port, String protocol, int timeoutMs)
      throws TException {
    TTransport transport = new TFramedTransport(new TSocket(host, port, timeoutMs));
    transport.open();
    return new KV.Client(
        protocol.equals("compact")
            ? new TCompactProtocol(transport)
            : new TBinaryProtocol(transport));
  }

  private static void check(boolean holds, Object... notes) {
    if (!holds) throw new AssertionError(Arrays.toString(notes));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(ISO_8859_1);
  }

  private static String text(byte[] bytes) {
    return new String(bytes, ISO_8859_1);
  }

  private static byte[] random(int size) {
    byte[] drawn = new byte[size];
    new SecureRandom().nextBytes(drawn);
    return drawn;
  }

  private static String values(GetResponse answer) {
    return answer.getSiblings().stream()
        .map(sibling -> text(sibling.getValue()))
        .sorted()
        .collect(Collectors.joining("|"));
  }

  private interface Call {
    void run() throws TException;
  }

  private static KVError refusal(byte[] key, Call call) throws TException {
    try {
      call.run();
    } catch (KVError error) {
      check(error.getRequest_id() == lastId && Arrays.equals(error.getKey(), key), error);
      return error;
    }
    throw new AssertionError("no error");
  }

  private static void greet(KV.Client kv) throws TException {
    ClientInfo client = new ClientInfo().setProtocol_level(1).setProtocol_level_min(1);
    ServerInfo info = kv.hello(client.setName("check"));
    check(info.getProtocol_level() == 1 && info.getCluster().equals("lab"), info);
    check(info.getNode().equals("node1") && info.getFrame_bytes_max() == 15 << 20, info);
    check(!info.isUnordered_replies(), info);
    try {
      kv.hello(new ClientInfo().setProtocol_level(9).setProtocol_level_min(9));
      check(false, "level 9 was agreed upon");
    } catch (KVError error) {
      check(error.getCode() == ErrorCode.MISMATCH, error);
    }
    TopologyResponse topology = kv.topology(new TopologyRequest(++lastId));
    check(topology.getRequest_id() == lastId && topology.getOwnersSize() == 256, topology);
    check(topology.getMembersSize() == 3, topology);
    check(topology.getMembers().get(2).getName().equals("node3"), topology);
    check(topology.getMembers().get(0).getId().length == 16, topology);
    List<String> spaces =
        topology.getKeyspaces().stream()
            .map(each -> each.getName() + each.getN() + each.getR() + each.getW() + each.getRecord_kind())
            .sorted()
            .collect(Collectors.toList());
    check(spaces.equals(List.of("default322siblings", "last322lww")), spaces);
  }

  private static GetResponse get(KV.Client kv, byte[] key, Consistency level) throws TException {
    GetRequest request = new GetRequest(++lastId, ByteBuffer.wrap(key)).setConsistency(level);
    GetResponse answer = kv.get(request);
    check(answer.getRequest_id() == lastId && Arrays.equals(answer.getKey(), key), answer);
    return answer;
  }

  private static PutResponse put(KV.Client kv, byte[] key, String value, byte[] context)
      throws TException {
    PutRequest request = new PutRequest().setRequest_id(++lastId).setKey(key);
    PutResponse answer = kv.put(request.setValue(bytes(value)).setContext(context));
    check(answer.getRequest_id() == lastId && Arrays.equals(answer.getKey(), key), answer);
    return answer;
  }

  private static void remove(KV.Client kv, byte[] key, byte[] context) throws TException {
    RemoveRequest request = new RemoveRequest().setRequest_id(++lastId).setKey(key);
    PutResponse answer = kv.remove(request.setContext(context));
    check(answer.getRequest_id() == lastId && Arrays.equals(answer.getKey(), key), answer);
  }

  private static void oneKey(KV.Client kv, byte[] key) throws TException {
    byte[] binary = new byte[256]; // neither text nor free of zeros
    for (int i = 0; i < binary.length; i++) binary[i] = (byte) i;

    GetResponse absent = get(kv, key, null);
    check(absent.getSiblingsSize() == 0, absent);
    PutResponse first = put(kv, key, text(binary), absent.getContext());
    GetResponse read = get(kv, key, Consistency.ALL);
    check(values(read).equals(text(binary)) && read.getCoordinator().equals("node1"), read);
    Sibling sibling = read.getSiblings().get(0);
    check(Arrays.equals(sibling.getEvent(), first.getEvent()), sibling);
    long ageMs = System.currentTimeMillis() - sibling.getTimestamp_us() / 1000;
    check(!sibling.getOrigin().isEmpty() && Math.abs(ageMs) < 3_600_000, sibling);

    put(kv, key, "left", first.getContext());
    put(kv, key, "right", first.getContext());
    GetResponse both = get(kv, key, Consistency.ALL);
    check(values(both).equals("left|right"), both);
    PutRequest merge = new PutRequest().setRequest_id(++lastId).setKey(key).setW(3);
    merge.setValue(bytes("both")).setContext(both.getContext()).setClient_id(random(16));
    PutResponse merged = kv.put(merge);
    check(values(get(kv, key, null)).equals("both"));

    put(kv, key, "blind", null); // no context: concurrent with all that is there
    check(values(get(kv, key, null)).equals("blind|both"));
    remove(kv, key, merged.getContext());
    check(values(get(kv, key, null)).equals("blind"), "only what the context had seen may go");
    remove(kv, key, get(kv, key, null).getContext());
    check(values(get(kv, key, Consistency.ALL)).isEmpty());
  }

  private static void manyKeys(KV.Client kv, String prefix) throws TException {
    List<ByteBuffer> keys = new ArrayList<>();
    List<PutItem> items = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      String key = prefix + (char) (200 + i);
      keys.add(ByteBuffer.wrap(bytes(key)));
      items.add(new PutItem().setKey(bytes(key)).setValue(bytes("of " + key)));
    }
    items.add(new PutItem().setKey(new byte[1025]).setValue(new byte[0]));
    PutManyResponse putMany = kv.put_many(new PutManyRequest(++lastId, items));
    List<PutResult> stored = putMany.getResults();
    check(putMany.getRequest_id() == lastId && stored.size() == 21, putMany);
    check(!stored.get(20).isSetResponse(), stored.get(20));
    check(stored.get(20).getError().getCode() == ErrorCode.INVALID, stored.get(20));
    check(stored.get(19).getResponse().key.equals(keys.get(19)), stored);

    PutItem gone = new PutItem().setKey(keys.get(3)).setRemove(true);
    gone.setContext(stored.get(3).getResponse().getContext());
    PutManyResponse removal = kv.put_many(new PutManyRequest(++lastId, List.of(gone)));
    check(!removal.getResults().get(0).isSetError(), removal);

    List<ByteBuffer> asked = new ArrayList<>(keys);
    asked.add(ByteBuffer.allocate(0));
    GetManyRequest request = new GetManyRequest(++lastId, asked).setConsistency(Consistency.ALL);
    GetManyResponse getMany = kv.get_many(request);
    List<GetResult> found = getMany.getResults();
    check(getMany.getRequest_id() == lastId && found.size() == 21, getMany);
    check(found.get(20).getError().getCode() == ErrorCode.INVALID, found.get(20));
    for (int i = 0; i < 20; i++) {
      GetResponse answer = found.get(i).getResponse();
      String wanted = i == 3 ? "" : "of " + text(keys.get(i).array());
      check(answer.key.equals(keys.get(i)) && values(answer).equals(wanted), answer);
    }
  }

  private static void refusals(KV.Client kv, byte[] key) throws TException {
    GetRequest nowhere = new GetRequest(++lastId, ByteBuffer.wrap(key)).setKeyspace("nowhere");
    KVError error = refusal(key, () -> kv.get(nowhere));
    check(error.getCode() == ErrorCode.INVALID && error.getMessage().contains("nowhere"), error);
    check(!error.isRetryable() && !error.isOutcome_unknown(), error);
    PutRequest put = new PutRequest().setRequest_id(++lastId).setKey(key).setValue(new byte[0]);
    error = refusal(key, () -> kv.put(put.setW(4)));
    check(error.getCode() == ErrorCode.INVALID, error);
    put.unsetW();
    error = refusal(key, () -> kv.put(put.setValue(random((1 << 20) + 1))));
    check(error.getCode() == ErrorCode.INVALID, error);
    GetManyRequest none = new GetManyRequest(++lastId, List.of());
    error = refusal(new byte[0], () -> kv.get_many(none));
    check(error.getCode() == ErrorCode.INVALID, error);

    byte[] largest = random(1 << 20);
    put(kv, key, text(largest), null);
    check(values(get(kv, key, null)).equals(text(largest)));
  }

  /** A call that times out, and the next one on the same connection. */
  private static void late(KV.Client kv, String suffix) throws Exception {
    for (String name : List.of("late-a", "late-b")) put(kv, bytes(name + suffix), name, null);
    say("ready");
    long asked = ++lastId;
    try {
      kv.get(new GetRequest(asked, ByteBuffer.wrap(bytes("late-a" + suffix))));
    } catch (TTransportException failed) {
      check(failed.getType() == TTransportException.TIMED_OUT, failed);
      say("timed out");
    }
    try {
      GetResponse answer = kv.get(new GetRequest(++lastId, ByteBuffer.wrap(bytes("late-b" + suffix))));
      say(answer.getRequest_id() == asked ? "the earlier answer" : values(answer));
    } catch (TApplicationException refused) {
      check(refused.getType() == TApplicationException.BAD_SEQUENCE_ID, refused);
      say("out of sequence");
    }
  }

  /** The same through the pool of the example. */
  private static void latePool(Pool pool, String suffix) throws Exception {
    for (String name : List.of("late-a", "late-b"))
      pool.put(new PutRequest().setKey(bytes(name + suffix)).setValue(bytes(name)));
    say("ready");
    try {
      pool.get(new GetRequest().setKey(bytes("late-a" + suffix)));
    } catch (TTransportException failed) {
      check(failed.getType() == TTransportException.TIMED_OUT, failed);
      say("timed out");
    }
    say(values(pool.get(new GetRequest().setKey(bytes("late-b" + suffix)))));
  }

  /** Tells the test, and waits until it says to go on. */
  private static void say(String line) throws Exception {
    System.out.println(line);
    IN.readLine();
  }
}
