#include "bindings/client.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"

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
py::tuple to_python(const PythonClient& self, const Read& read) {
  const PythonContext context = make_context(read.context);
  return py::make_tuple(python_siblings(read.siblings, context.decoded, self.ring.get()), context,
                        name_of(*self.ring, read.coordinator));
}

py::object to_python(const PythonClient&, const Written& written) {
  return py::cast(make_context(written.context));
}

Failure failure_at(const PythonClient& self, const ClientError& error) {
  return failure_of(error, name_of(*self.ring, error.node));
}

template <typename T>
py::object result_of(const PythonClient& self, const ClientResult<T>& result) {
  if (!result) raise(failure_at(self, result.error()));
  return to_python(self, *result);
}

// One result or exception for each item.
template <typename T>
py::list results_of(const PythonClient& self, const std::vector<ClientResult<T>>& results) {
  py::list all;
  for (const auto& result : results)
    all.append(result ? py::object(to_python(self, *result))
                      : make_error(failure_at(self, result.error())));
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

}  // namespace

void bind_client(py::module_& module) {
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
