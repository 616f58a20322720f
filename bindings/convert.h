#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

#include "replication/ring/ring.h"
#include "replication/runtime/key_placement.h"
#include "replication/runtime/node_status.h"
#include "replication/shard/keyspace.h"
#include "replication/transport/message.h"
#include "replication/version/context.h"

namespace ringwright::python {

namespace py = pybind11;

// Copies a bytes-like object; `what` names it in the TypeError ("key"). A str gets a hint.
Bytes bytes_from(py::handle object, const char* what);
py::bytes python_bytes(ByteView bytes);

// Instants, spans and stamps are seconds in Python.
double seconds_of(Nanoseconds span);
double seconds_of_stamp(Timestamp stamp);
Nanoseconds nanoseconds_of(double seconds);

// The name of a member; of another node its UUID; empty for no node.
std::string name_of(const Ring& ring, const NodeId& id);

// A context as Python holds it. Empty bytes are "no context": nothing was seen.
struct PythonContext {
  Bytes encoded;
  Context decoded;
};
// Raises InvalidRequestError for bytes that are no context.
PythonContext make_context(Bytes encoded);
PythonContext make_context(const Context& context);

// (value, context, timestamp, actor's node) for each sibling. A sibling's context covers its event.
py::list python_siblings(const std::vector<ShownSibling>& siblings, const Context& seen,
                         const Ring* ring);

py::dict python_ring(const Ring& ring);
py::dict python_keyspace(const Keyspace& keyspace);
py::dict python_status(const NodeStatus& status);
// (token, partition, preference list)
py::tuple python_place(const Ring& ring, ByteView key, const std::vector<Placement>& placements);

// Runs `call` without the interpreter's lock.
template <typename Call>
auto unlocked(Call&& call) {
  const py::gil_scoped_release release;
  return std::forward<Call>(call)();
}

void bind_contexts(py::module_& module);
void bind_settings(py::module_& module);
void bind_registry(py::module_& module);
void bind_engines(py::module_& module);
void bind_client(py::module_& module);
void bind_cluster(py::module_& module);
void bind_node(py::module_& module);
void bind_history(py::module_& module);
void bind_simulation(py::module_& module);

}  // namespace ringwright::python
