#include "replication/daemon/engine_metrics.h"

#include "engine/base/limits.h"

namespace ringwright {
namespace {

static_assert(limits::engine_stall_after == milliseconds(10), "a text below says so");

constexpr double nanoseconds_per_second = 1e9;

using Labels = MetricsText::Labels;

Labels with(Labels labels, std::string name, std::string_view value) {
  labels.emplace_back(std::move(name), value);
  return labels;
}

void add_state(MetricsText& metrics, const EngineStatus& engine, const Labels& labels) {
  metrics.gauge("ringwright_engine_info", "Which engine keeps a keyspace; always 1.", 1,
                {{"keyspace", engine.keyspace},
                 {"engine", engine.engine},
                 {"durability", std::string(durability_name(engine.durability))}});
  metrics.gauge("ringwright_engine_approximate_keys", "Keys in the engine, by its own estimate.",
                static_cast<double>(engine.stats.approximate_keys), labels);
  metrics.gauge("ringwright_engine_disk_bytes", "What the engine's files take.",
                static_cast<double>(engine.stats.disk_bytes), labels);
  metrics.gauge("ringwright_engine_memory_bytes", "What the engine holds in memory.",
                static_cast<double>(engine.stats.memory_bytes), labels);
  metrics.gauge("ringwright_engine_pressure",
                "How near the engine is to stalling writes, from 0 to 1.", engine.pressure, labels);
  metrics.gauge("ringwright_engine_damaged_ranges",
                "Ranges of keys where the engine found damage since it was opened.",
                static_cast<double>(engine.stats.damaged.size()), labels);
}

void add_call(MetricsText& metrics, EngineCall kind, const EngineCounts::Call& call,
              const Labels& keyspace) {
  const Labels labels = with(keyspace, "op", engine_call_name(kind));
  metrics.counter("ringwright_engine_calls_total", "Calls of the engine.",
                  static_cast<double>(call.total()), labels);
  metrics.counter("ringwright_engine_would_block_total",
                  "Calls that the engine could not answer without blocking; each came again.",
                  static_cast<double>(call.would_block), labels);
  metrics.histogram("ringwright_engine_call_duration_seconds",
                    "How long calls took that did not answer would_block; of those that may not "
                    "block, one of about eight is timed and stands for the others.",
                    call.durations, nanoseconds_per_second, labels);
  for (std::size_t code = 0; code < EngineCounts::codes; ++code)
    if (call.errors[code] > 0)
      metrics.counter("ringwright_engine_call_errors_total",
                      "Errors that the engine answered; of multi_get, by key.",
                      static_cast<double>(call.errors[code]),
                      with(labels, "code", code_name(static_cast<Code>(code))));
}

void add_traffic(MetricsText& metrics, const EngineCounts& counts, const Labels& labels) {
  metrics.counter("ringwright_engine_bytes_read_total",
                  "Bytes of rows that the engine answered, and of the keys of iterations.",
                  static_cast<double>(counts.bytes_read), labels);
  metrics.counter("ringwright_engine_bytes_written_total",
                  "Bytes of keys and rows that the engine applied.",
                  static_cast<double>(counts.bytes_written), labels);
  metrics.counter("ringwright_engine_rows_iterated_total", "Rows that iterations stood on.",
                  static_cast<double>(counts.rows_iterated), labels);
  metrics.counter("ringwright_engine_stall_seconds_total",
                  "Time in writes that took longer than 10 ms.",
                  static_cast<double>(counts.stalled_ns) / nanoseconds_per_second, labels);
  metrics.histogram("ringwright_engine_fsync_duration_seconds",
                    "How long blocking syncs took where the durability is disk.", counts.fsyncs,
                    nanoseconds_per_second, labels);
  metrics.histogram("ringwright_engine_write_batch_operations", "Operations of a write.",
                    counts.batch_writes, 1, labels);
  metrics.histogram("ringwright_engine_multi_get_keys", "Keys of a multi_get.", counts.read_keys, 1,
                    labels);
}

}  // namespace

void add_engine_metrics(MetricsText& metrics, const EngineStatus& engine) {
  const Labels labels = {{"keyspace", engine.keyspace}};
  add_state(metrics, engine, labels);
  add_traffic(metrics, engine.counts, labels);
  for (std::size_t i = 0; i < engine_calls; ++i)
    if (engine.counts.calls[i].total() > 0)
      add_call(metrics, static_cast<EngineCall>(i), engine.counts.calls[i], labels);
}

}  // namespace ringwright
