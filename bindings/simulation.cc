#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <atomic>
#include <exception>
#include <thread>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/history.h"
#include "replication/simulation/swarm.h"
#include "replication/simulation/world.h"

namespace ringwright::python {
namespace {

// A simulation is used by one thread at a time. Python's lock is released while time passes, so a
// second thread could come in: it is refused. What a scripted action raises leaves with the call
// that let time pass; later actions of that call are left out.
class PythonSimulation {
 public:
  explicit PythonSimulation(SimulationOptions options) : simulation_(std::move(options)) {}

  // For calls that take no time; a scripted action may make them.
  template <typename Call>
  auto quick(Call&& call) {
    check_thread();
    return std::forward<Call>(call)(simulation_);
  }

  // For calls that let time pass, not from within a scripted action.
  template <typename Call>
  void pass_time(Call&& call) {
    check_thread();
    if (user_.load() != std::thread::id{})
      raise(Status{Code::invalid,
                   "time passes already: a scripted action may start operations, but not wait"});
    user_ = std::this_thread::get_id();
    unlocked([&] { call(simulation_); });
    user_ = std::thread::id{};
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void at(double instant, py::function action) {
    // The queue may drop the action where the interpreter's lock is not held.
    const std::shared_ptr<py::function> kept(new py::function(std::move(action)),
                                             [](const py::function* ended) {
                                               const py::gil_scoped_acquire acquire;
                                               delete ended;
                                             });
    quick([&](Simulation& simulation) {
      simulation.at(nanoseconds_of(instant), [this, kept] { run(*kept); });
    });
  }

 private:
  void check_thread() const {
    const std::thread::id user = user_.load();
    if (user != std::thread::id{} && user != std::this_thread::get_id())
      raise(Status{Code::invalid, "another thread is running this simulation"});
  }

  void run(const py::function& action) {
    if (failure_) return;
    const py::gil_scoped_acquire acquire;
    try {
      action();
    } catch (const py::error_already_set&) {
      failure_ = std::current_exception();
    }
  }

  Simulation simulation_;
  std::atomic<std::thread::id> user_{};  // who lets time pass
  std::exception_ptr failure_;
};

// As Python hands it over: instants and spans are seconds.
struct CallOptions {
  std::uint32_t client = 0;
  std::optional<PythonContext> context;
  bool remembered = false;
  std::uint8_t level = 0;
  double timeout = 1;
  std::vector<NodeIndex> retry_through;
};

OperationOptions operation_options(const CallOptions& options) {
  OperationOptions made;
  made.client = options.client;
  if (options.context) made.context = options.context->encoded;
  made.remembered = options.remembered;
  made.level = options.level;
  made.timeout = nanoseconds_of(options.timeout);
  made.retry_through = options.retry_through;
  return made;
}

Failure failure_after(const OperationResult& result) {
  Failure failure = failure_of(Status{result.code, result.message});
  failure.outcome_unknown = result.outcome == Outcome::unknown;
  failure.retryable = failure.retryable && !failure.outcome_unknown;
  failure.required = result.required;
  failure.received = result.received;
  if (failure.message.empty()) failure.message = "no answer before the deadline";
  return failure;
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "failed";
    case Outcome::unknown:
      return "unknown";
  }
  return "";
}

// {done, outcome, tries, siblings, context, error}; context and error are None unless they apply.
py::dict to_python(const OperationResult& result) {
  py::dict shown;
  shown["done"] = result.done;
  shown["outcome"] = outcome_name(result.outcome);
  shown["tries"] = result.tries;
  const bool is_ok = result.done && result.outcome == Outcome::ok;
  const PythonContext context = is_ok ? make_context(result.context) : PythonContext{};
  shown["context"] = is_ok ? py::cast(context) : py::none();
  shown["siblings"] = python_siblings(result.siblings, context.decoded, nullptr);
  shown["error"] = result.done && !is_ok ? make_error(failure_after(result)) : py::none();
  return shown;
}

// {mark, damaged, vector, siblings, bytes}
py::dict to_python(const StoredRow& stored) {
  py::list siblings;
  for (const Sibling& sibling : stored.row.record.siblings) {
    py::dict shown;
    shown["value"] = python_bytes(ByteView(sibling.value));
    shown["dot"] = to_string(sibling.dot);
    shown["timestamp"] = seconds_of_stamp(sibling.stamp);
    shown["origin"] = to_string(sibling.dot.actor.node);
    shown["tombstone"] = sibling.tombstone;
    shown["expires"] = sibling.expires_us == 0
                           ? py::object(py::none())
                           : py::float_(static_cast<double>(sibling.expires_us) / 1e6);
    siblings.append(shown);
  }
  py::dict vector;
  for (const auto& entry : stored.row.record.vector.entries())
    vector[py::str(to_string(entry.actor))] = entry.counter;
  py::dict row;
  row["mark"] = stored.row.mark ? py::object(py::str(to_string(*stored.row.mark))) : py::none();
  row["damaged"] = stored.row.damaged.size();
  row["vector"] = vector;
  row["siblings"] = siblings;
  row["bytes"] = python_bytes(ByteView(stored.bytes));
  return row;
}

py::object stored_row(PythonSimulation& self, NodeIndex node, const py::object& key,
                      bool is_fallback) {
  const Bytes wanted = bytes_from(key, "key");
  const RowKind kind = is_fallback ? RowKind::fallback : RowKind::data;
  const auto row = unwrap(self.quick(
      [&](Simulation& simulation) { return simulation.stored_row(node, wanted, kind); }));
  return row ? py::object(to_python(*row)) : py::none();
}

template <double (*convert)(Nanoseconds), typename Class>
void bind_span(py::class_<Class>& type, const char* name, Nanoseconds Class::*member) {
  type.def_property(
      name, [member](const Class& self) { return convert(self.*member); },
      [member](Class& self, double value) { self.*member = nanoseconds_of(value); });
}

void bind_network_settings(py::module_& module) {
  py::class_<NetworkSettings> type(module, "NetworkSettings");
  type.def_readwrite("loss", &NetworkSettings::loss)
      .def_readwrite("duplication", &NetworkSettings::duplication)
      .def_readwrite("replay", &NetworkSettings::replay)
      .def_readwrite("tail", &NetworkSettings::tail)
      .def_readwrite("true_bytes", &NetworkSettings::true_bytes)
      .def_readwrite("refusal", &NetworkSettings::refusal);
  bind_span<seconds_of>(type, "replay_after_max", &NetworkSettings::replay_after_max);
  bind_span<seconds_of>(type, "delay_min", &NetworkSettings::delay_min);
  bind_span<seconds_of>(type, "delay_mean", &NetworkSettings::delay_mean);
  bind_span<seconds_of>(type, "tail_max", &NetworkSettings::tail_max);
}

void bind_engine_times(py::module_& module) {
  py::class_<EngineTimes> type(module, "EngineTimes");
  bind_span<seconds_of>(type, "read_max", &EngineTimes::read_max);
  bind_span<seconds_of>(type, "write_max", &EngineTimes::write_max);
  bind_span<seconds_of>(type, "sync_max", &EngineTimes::sync_max);
}

void bind_options(py::module_& module) {
  using Options = SimulationOptions;
  py::class_<Options> type(module, "SimulationOptions");
  type.def(py::init<>())
      .def_readwrite("seed", &Options::seed)
      .def_readwrite("nodes", &Options::nodes)
      .def_readwrite("shards", &Options::shards)
      .def_readwrite("clients", &Options::clients)
      .def_readwrite("partitions", &Options::partitions)
      .def_readwrite("n", &Options::n)
      .def_readwrite("r", &Options::r)
      .def_readwrite("w", &Options::w)
      .def_readwrite("sloppy", &Options::sloppy)
      .def_readwrite("resolver", &Options::resolver)
      .def_readwrite("native_merge", &Options::native_merge)
      .def_readwrite("value_bytes_max", &Options::value_bytes_max)
      .def_readwrite("record_bytes_max", &Options::record_bytes_max)
      .def_readwrite("siblings_max", &Options::siblings_max)
      .def_readwrite("inline_engine", &Options::inline_engine)
      .def_readwrite("failed_sync_drops_pages", &Options::failed_sync_drops_pages)
      .def_readwrite("clock_drift_ppm_max", &Options::clock_drift_ppm_max)
      .def_readwrite("network", &Options::network)
      .def_readwrite("engine_times", &Options::engine_times)
      .def_property(
          "durability", [](const Options& self) { return durability_name(self.durability); },
          [](Options& self, const std::string& name) {
            self.durability = unwrap(parse_durability(name));
          })
      .def_property(
          "ask_all", [](const Options& self) { return self.fan_out == FanOut::all; },
          [](Options& self, bool all) { self.fan_out = all ? FanOut::all : FanOut::quorum; });
  bind_span<seconds_of>(type, "ping_interval", &Options::ping_interval);
  bind_span<seconds_of>(type, "suspect_after", &Options::suspect_after);
  bind_span<seconds_of>(type, "clock_skew_max", &Options::clock_skew_max);
}

void bind_call_options(py::module_& module) {
  py::class_<CallOptions>(module, "SimulatedCallOptions")
      .def(py::init<>())
      .def_readwrite("client", &CallOptions::client)
      .def_readwrite("context", &CallOptions::context)
      .def_readwrite("remembered", &CallOptions::remembered)
      .def_readwrite("level", &CallOptions::level)
      .def_readwrite("timeout", &CallOptions::timeout)
      .def_readwrite("retry_through", &CallOptions::retry_through);
}

using SimulationType = py::class_<PythonSimulation>;

void bind_time(SimulationType& type) {
  type.def("now",
           [](PythonSimulation& self) {
             return self.quick([](Simulation& simulation) { return seconds_of(simulation.now()); });
           })
      .def(
          "run_until",
          [](PythonSimulation& self, double until) {
            self.pass_time(
                [&](Simulation& simulation) { simulation.run_until(nanoseconds_of(until)); });
          },
          py::arg("until"))
      .def(
          "run_until_done",
          [](PythonSimulation& self, OperationHandle operation, std::optional<double> until) {
            bool done = false;
            self.pass_time([&](Simulation& simulation) {
              done = simulation.run_until_done(operation, until ? nanoseconds_of(*until) : never);
            });
            return done;
          },
          py::arg("operation"), py::arg("until"))
      .def("at", &PythonSimulation::at, py::arg("instant"), py::arg("action"));
}

void bind_operations(SimulationType& type) {
  type.def(
          "start_get",
          [](PythonSimulation& self, NodeIndex node, const py::object& key,
             const CallOptions& options) {
            const Bytes wanted = bytes_from(key, "key");
            return self.quick([&](Simulation& simulation) {
              return simulation.start_get(node, wanted, operation_options(options));
            });
          },
          py::arg("node"), py::arg("key"), py::arg("options"))
      .def(
          "start_put",
          [](PythonSimulation& self, NodeIndex node, const py::object& key, const py::object& value,
             const CallOptions& options) {
            const Bytes wanted = bytes_from(key, "key");
            const Bytes stored = bytes_from(value, "value");
            return self.quick([&](Simulation& simulation) {
              return simulation.start_put(node, wanted, stored, operation_options(options));
            });
          },
          py::arg("node"), py::arg("key"), py::arg("value"), py::arg("options"))
      .def(
          "start_remove",
          [](PythonSimulation& self, NodeIndex node, const py::object& key,
             const CallOptions& options) {
            const Bytes wanted = bytes_from(key, "key");
            return self.quick([&](Simulation& simulation) {
              return simulation.start_remove(node, wanted, operation_options(options));
            });
          },
          py::arg("node"), py::arg("key"), py::arg("options"))
      .def(
          "result",
          [](PythonSimulation& self, OperationHandle operation) {
            return to_python(
                self.quick([&](Simulation& simulation) { return simulation.result(operation); }));
          },
          py::arg("operation"))
      .def(
          "forget_contexts",
          [](PythonSimulation& self, std::uint32_t client) {
            self.quick([&](Simulation& simulation) { simulation.forget_contexts(client); });
          },
          py::arg("client"));
}

// A method of Simulation that takes only indexes.
template <auto method, typename... Index>
auto act(PythonSimulation& self, Index... index) {
  return self.quick([&](Simulation& simulation) { return (simulation.*method)(index...); });
}

void bind_nodes(SimulationType& type) {
  type.def("cut", &act<&Simulation::cut, NodeIndex, NodeIndex>)
      .def("mend", &act<&Simulation::mend, NodeIndex, NodeIndex>)
      .def("heal", &act<&Simulation::heal>)
      .def(
          "partition",
          [](PythonSimulation& self, const std::vector<std::vector<NodeIndex>>& groups) {
            self.quick([&](Simulation& simulation) { simulation.partition(groups); });
          },
          py::arg("groups"))
      .def("is_up", &act<&Simulation::is_up, NodeIndex>)
      .def(
          "restart",
          [](PythonSimulation& self, NodeIndex node) {
            check(act<&Simulation::restart>(self, node));
          },
          py::arg("node"))
      .def("stop", &act<&Simulation::stop, NodeIndex>)
      .def("crash", &act<&Simulation::crash, NodeIndex>)
      .def("power_cut", &act<&Simulation::power_cut, NodeIndex>)
      .def("wipe", &act<&Simulation::wipe, NodeIndex>)
      .def("backup", &act<&Simulation::backup, NodeIndex>)
      .def("restore", &act<&Simulation::restore, NodeIndex, std::size_t>)
      .def("clone", &act<&Simulation::clone, NodeIndex>)
      .def("stored_row", &stored_row, py::arg("node"), py::arg("key"), py::arg("is_fallback"))
      .def(
          "preference_of",
          [](PythonSimulation& self, const py::object& key) {
            const Bytes wanted = bytes_from(key, "key");
            return self.quick(
                [&](Simulation& simulation) { return simulation.preference_of(wanted); });
          },
          py::arg("key"));
}

void bind_outcome(SimulationType& type) {
  type.def("history",
           [](PythonSimulation& self) {
             return PythonHistory{
                 self.quick([](Simulation& simulation) { return simulation.history(); })};
           })
      .def("protocol_errors",
           [](PythonSimulation& self) {
             return self.quick([](Simulation& simulation) { return simulation.protocol_errors(); });
           })
      .def("counters", &act<&Simulation::counters>)
      .def("digest", &act<&Simulation::digest>);
}

void bind_swarm(py::module_& module) {
  module.def(
      "run_swarm",
      [](std::uint64_t seed, std::uint32_t operations_min, std::uint32_t operations_max) {
        SwarmLimits limits;
        limits.operations_min = operations_min;
        limits.operations_max = operations_max;
        SwarmResult result = unlocked([&] { return run_swarm(seed, limits); });
        py::dict parameters;
        for (const auto& [name, value] : result.parameters) parameters[py::str(name)] = value;
        py::dict shown;
        shown["seed"] = result.seed;
        shown["digest"] = result.digest;
        shown["parameters"] = parameters;
        shown["history"] = PythonHistory{std::move(result.history)};
        shown["violations"] = result.violations;
        shown["counters"] = result.counters;
        return shown;
      },
      py::arg("seed"), py::arg("operations_min"), py::arg("operations_max"));
  module.attr("swarm_operations_min") = SwarmLimits{}.operations_min;
  module.attr("swarm_operations_max") = SwarmLimits{}.operations_max;
}

}  // namespace

void bind_simulation(py::module_& module) {
  bind_network_settings(module);
  bind_engine_times(module);
  bind_options(module);
  bind_call_options(module);
  SimulationType type(module, "Simulation");
  type.def(py::init([](const SimulationOptions& options) {
             return std::make_unique<PythonSimulation>(options);
           }),
           py::arg("options"));
  bind_time(type);
  bind_operations(type);
  bind_nodes(type);
  bind_outcome(type);
  bind_swarm(module);
}

}  // namespace ringwright::python
