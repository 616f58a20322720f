import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import java.util.stream.Collectors;
import ringwright.kv.GetRequest;
import ringwright.kv.GetResponse;
import ringwright.kv.KVError;
import ringwright.kv.PutRequest;
import ringwright.kv.PutResponse;
import ringwright.kv.RemoveRequest;

/** java Example HOST PORT */
public final class Example {
  public static void main(String[] arguments) throws Exception {
    Pool pool = new Pool(arguments[0], Integer.parseInt(arguments[1]), 8, 2000);
    byte[] key = "cart-java".getBytes(UTF_8);

    // A context says what a put replaces; without one it is concurrent with all that is there.
    pool.put(new PutRequest().setKey(key).setValue("eggs".getBytes(UTF_8)));
    pool.put(new PutRequest().setKey(key).setValue("milk".getBytes(UTF_8)));
    GetResponse seen = pool.get(new GetRequest().setKey(key));
    List<String> values =
        seen.getSiblings().stream()
            .map(sibling -> new String(sibling.getValue(), UTF_8))
            .sorted()
            .collect(Collectors.toList());
    System.out.println("siblings: " + String.join(" ", values));

    // Merge what concurrent writers left, and replace all that was read.
    byte[] merged = String.join(", ", values).getBytes(UTF_8);
    PutRequest put = new PutRequest().setKey(key).setValue(merged).setContext(seen.getContext());
    PutResponse written = pool.put(put);
    byte[] now = pool.get(new GetRequest().setKey(key)).getSiblings().get(0).getValue();
    System.out.println("merged: " + new String(now, UTF_8));

    // The context of a put covers it, so that the same client can go on without reading again.
    pool.remove(new RemoveRequest().setKey(key).setContext(written.getContext()));
    int left = pool.get(new GetRequest().setKey(key)).getSiblingsSize();
    System.out.println("deleted: " + left + " siblings");

    try {
      pool.get(new GetRequest().setKey(key).setKeyspace("nowhere"));
    } catch (KVError error) {
      System.out.println("refused: " + error.getMessage());
      System.out.printf(
          "worth another try: %s, may have happened: %s%n",
          error.isRetryable() ? "yes" : "no", error.isOutcome_unknown() ? "yes" : "no");
    }
  }
}
