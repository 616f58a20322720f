#include "bindings/client.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "replication/runtime/remote_client.h"

namespace ringwright::python {
namespace {

// What a call may say beyond key and value, as Python hands it over. Zero: the client's or the
// keyspace's.
struct CallOptions {
  std::string keyspace;
  std::uint8_t level = 0;
  double timeout = 0;
  double ttl = 0;
  std::optional<PythonContext> context;
  bool read_first = false;
  bool blind = false;
  std::uint64_t session = 0;  // the calling thread, by a number that is never used again
};

GetOptions get_options(const CallOptions& options) {
  GetOptions made;
  made.keyspace = options.keyspace;
  made.r.value = options.level;
  made.timeout = nanoseconds_of(options.timeout);
  made.session = options.session;
  return made;
}

PutOptions put_options(const CallOptions& options) {
  PutOptions made;
  made.keyspace = options.keyspace;
  made.w.value = options.level;
  made.timeout = nanoseconds_of(options.timeout);
  made.session = options.session;
  made.ttl_us = static_cast<std::uint64_t>(nanoseconds_of(options.ttl) / 1000);
  if (options.context) made.context = options.context->encoded;
  made.read_first = options.read_first;
  made.blind = options.blind;
  return made;
}

// (siblings, context, coordinator)
py::tuple to_python(const Ring& ring, const Read& read) {
  const PythonContext context = make_context(read.context);
  return py::make_tuple(python_siblings(read.siblings, context.decoded, &ring), context,
                        name_of(ring, read.coordinator));
}

py::object to_python(const Ring&, const Written& written) {
  return py::cast(make_context(written.context));
}

Failure failure_at(const Ring& ring, const ClientError& error) {
  return failure_of(error, name_of(ring, error.node));
}

// What came of a call; an exception as an object, not raised.
template <typename T>
py::object outcome_of(const Ring& ring, const ClientResult<T>& result) {
  if (!result) return make_error(failure_at(ring, result.error()));
  return to_python(ring, *result);
}

template <typename T>
py::object result_of(const PythonClient& self, const ClientResult<T>& result) {
  if (!result) raise(failure_at(*self.map->ring, result.error()));
  return to_python(*self.map->ring, *result);
}

// One result or exception for each item.
template <typename T>
py::list results_of(const PythonClient& self, const std::vector<ClientResult<T>>& results) {
  py::list all;
  for (const auto& result : results) all.append(outcome_of(*self.map->ring, result));
  return all;
}

py::object get(const PythonClient& self, const py::object& key, const CallOptions& options) {
  const Bytes wanted = bytes_from(key, "key");
  const GetOptions how = get_options(options);
  return result_of(self, unlocked([&] { return self.client->get(wanted, how); }));
}

py::object put(const PythonClient& self, const py::object& key, const py::object& value,
               const CallOptions& options) {
  const Bytes wanted = bytes_from(key, "key");
  const Bytes stored = bytes_from(value, "value");
  const PutOptions how = put_options(options);
  return result_of(self, unlocked([&] { return self.client->put(wanted, stored, how); }));
}

py::object remove(const PythonClient& self, const py::object& key, const CallOptions& options) {
  const Bytes wanted = bytes_from(key, "key");
  const PutOptions how = put_options(options);
  return result_of(self, unlocked([&] { return self.client->remove(wanted, how); }));
}

py::list get_many(const PythonClient& self, const py::list& keys, const CallOptions& options,
                  std::size_t concurrency) {
  std::vector<Bytes> wanted;
  wanted.reserve(keys.size());
  for (const py::handle key : keys) wanted.push_back(bytes_from(key, "key"));
  const GetOptions how = get_options(options);
  return results_of(self,
                    unlocked([&] { return self.client->get_many(wanted, how, concurrency); }));
}

py::list put_many(const PythonClient& self, const py::list& items, const CallOptions& options,
                  std::size_t concurrency) {
  std::vector<PutItem> wanted;
  wanted.reserve(items.size());
  for (const py::handle item : items) {
    const auto pair = py::cast<py::tuple>(item);
    PutItem put;
    put.key = bytes_from(pair[0], "key");
    put.value = bytes_from(pair[1], "value");
    wanted.push_back(std::move(put));
  }
  const PutOptions how = put_options(options);
  return results_of(self,
                    unlocked([&] { return self.client->put_many(wanted, how, concurrency); }));
}

PythonContext remembered_context(const PythonClient& self, const py::object& key,
                                 const std::string& keyspace, std::uint64_t session) {
  const Bytes wanted = bytes_from(key, "key");
  return make_context(
      unlocked([&] { return self.client->remembered_context(wanted, keyspace, session); }));
}

// `down`: the nodes that are known not to run; nothing: as the client finds them.
py::tuple place(const PythonClient& self, const std::string& keyspace, const py::object& key,
                const std::optional<std::vector<std::string>>& down) {
  const Bytes wanted = bytes_from(key, "key");
  std::vector<bool> up = unlocked([&] { return self.client->members_up(); });
  if (down) {
    up.assign(up.size(), true);
    for (const std::string& name : *down)
      if (const auto member = self.map->ring->index_of_name(name)) up[*member] = false;
  }
  return python_place(*self.map->ring, wanted, unwrap(place_key(*self.map, keyspace, wanted, up)));
}

ClientEnd open_end(const std::vector<std::string>& addresses, const ClientOptions& options,
                   const std::string& transport) {
  RemoteCluster cluster;
  cluster.addresses = addresses;
  cluster.transport = transport;
  auto end = unlocked([&] { return open_remote_end(cluster, options); });
  if (!end) raise(connection_failure(end.error()));
  return std::move(*end);
}

std::unique_ptr<PythonClient> connect(const std::vector<std::string>& addresses,
                                      const ClientChoice& choice, const std::string& transport) {
  const ClientOptions options = with_choice({}, choice);
  ClientEnd end = open_end(addresses, options, transport);
  auto client = std::make_shared<Client>(std::move(end.parts), options);
  return std::make_unique<PythonClient>(std::move(client), std::move(end.map));
}

std::unique_ptr<PythonAsyncClient> connect_async(const std::vector<std::string>& addresses,
                                                 const ClientChoice& choice,
                                                 const std::string& transport) {
  const ClientOptions options = with_choice({}, choice);
  ClientEnd end = open_end(addresses, options, transport);
  auto thread = unwrap(ClientThread::start(std::move(end.parts), options));
  return std::make_unique<PythonAsyncClient>(std::move(thread), std::move(end.map));
}

// [(ticket, result or exception)]. The lock of the interpreter stays held: nothing here waits for
// more than another thread's few instructions, and none of those threads ever takes that lock.
py::list collect(const PythonAsyncClient& self) {
  py::list all;
  for (const AsyncClient::Answer& answer : self.thread->collect())
    all.append(py::make_tuple(
        answer.ticket,
        std::visit([&](const auto& result) { return outcome_of(*self.map->ring, result); },
                   answer.result)));
  return all;
}

void bind_async_client(py::module_& module) {
  py::class_<PythonAsyncClient>(module, "AsyncClient")
      .def_static("connect", &connect_async, py::arg("addresses"), py::arg("choice"),
                  py::arg("transport"))
      .def(
          "get",
          [](const PythonAsyncClient& self, const py::object& key, const CallOptions& options) {
            return self.thread->client().get(bytes_from(key, "key"), get_options(options));
          },
          py::arg("key"), py::arg("options"))
      .def(
          "put",
          [](const PythonAsyncClient& self, const py::object& key, const py::object& value,
             const CallOptions& options) {
            return self.thread->client().put(bytes_from(key, "key"), bytes_from(value, "value"),
                                             put_options(options));
          },
          py::arg("key"), py::arg("value"), py::arg("options"))
      .def(
          "remove",
          [](const PythonAsyncClient& self, const py::object& key, const CallOptions& options) {
            return self.thread->client().remove(bytes_from(key, "key"), put_options(options));
          },
          py::arg("key"), py::arg("options"))
      .def(
          "note_read",
          [](const PythonAsyncClient& self, const py::object& key, const CallOptions& options,
             const PythonContext& context) {
            self.thread->client().note_read(bytes_from(key, "key"), options.keyspace,
                                            options.session, context.encoded);
          },
          py::arg("key"), py::arg("options"), py::arg("context"))
      .def("collect", &collect)
      .def("descriptor", [](const PythonAsyncClient& self) { return self.thread->descriptor(); })
      .def(
          "remembered_context",
          [](const PythonAsyncClient& self, const py::object& key, const std::string& keyspace,
             std::uint64_t session) {
            return make_context(self.thread->client().remembered_context(bytes_from(key, "key"),
                                                                         keyspace, session));
          },
          py::arg("key"), py::arg("keyspace"), py::arg("session"))
      .def("forget_contexts",
           [](const PythonAsyncClient& self) { self.thread->client().forget_contexts(); })
      .def("close", [](const PythonAsyncClient& self) { unlocked([&] { self.thread->close(); }); })
      .def("is_closed",
           [](const PythonAsyncClient& self) { return self.thread->client().is_closed(); });
}

}  // namespace

ClientOptions with_choice(ClientOptions options, const ClientChoice& choice) {
  options.keyspace = choice.keyspace;
  options.node = choice.node;
  if (choice.timeout) options.timeout = nanoseconds_of(*choice.timeout);
  if (choice.retries) options.retries = *choice.retries;
  return options;
}

void bind_client(py::module_& module) {
  py::class_<ClientChoice>(module, "ClientChoice")
      .def(py::init([](std::string keyspace, std::string node, std::optional<double> timeout,
                       std::optional<std::uint32_t> retries) {
             return ClientChoice{std::move(keyspace), std::move(node), timeout, retries};
           }),
           py::arg("keyspace"), py::arg("node"), py::arg("timeout"), py::arg("retries"))
      .def_readonly("keyspace", &ClientChoice::keyspace)
      .def_readonly("node", &ClientChoice::node)
      .def_readonly("timeout", &ClientChoice::timeout)
      .def_readonly("retries", &ClientChoice::retries);
  bind_async_client(module);
  py::class_<CallOptions>(module, "CallOptions")
      .def(py::init<>())
      .def_readwrite("keyspace", &CallOptions::keyspace)
      .def_readwrite("level", &CallOptions::level)
      .def_readwrite("timeout", &CallOptions::timeout)
      .def_readwrite("ttl", &CallOptions::ttl)
      .def_readwrite("context", &CallOptions::context)
      .def_readwrite("read_first", &CallOptions::read_first)
      .def_readwrite("blind", &CallOptions::blind)
      .def_readwrite("session", &CallOptions::session);
  py::class_<PythonClient>(module, "Client")
      .def_static("connect", &connect, py::arg("addresses"), py::arg("choice"),
                  py::arg("transport"))
      .def("ring", [](const PythonClient& self) { return python_ring(*self.map->ring); })
      .def("place", &place, py::arg("keyspace"), py::arg("key"), py::arg("down"))
      .def("get", &get, py::arg("key"), py::arg("options"))
      .def("put", &put, py::arg("key"), py::arg("value"), py::arg("options"))
      .def("remove", &remove, py::arg("key"), py::arg("options"))
      .def("get_many", &get_many, py::arg("keys"), py::arg("options"), py::arg("concurrency"))
      .def("put_many", &put_many, py::arg("items"), py::arg("options"), py::arg("concurrency"))
      .def("remembered_context", &remembered_context, py::arg("key"), py::arg("keyspace"),
           py::arg("session"))
      .def("forget_contexts",
           [](const PythonClient& self) { unlocked([&] { self.client->forget_contexts(); }); })
      .def("close", [](const PythonClient& self) { unlocked([&] { self.client->close(); }); })
      .def("is_closed", [](const PythonClient& self) { return self.client->is_closed(); });
}

}  // namespace ringwright::python
