#include <pybind11/operators.h>
#include <pybind11/stl.h>

#include <string>

#include "bindings/convert.h"
#include "bindings/errors.h"

namespace ringwright::python {
namespace {

constexpr const char* context_doc =
    "What a get or put has seen of one key: opaque, comparable, picklable.\n\n"
    "Hand it back with the put that replaces what it covers. `bytes(context)` and `from_bytes`\n"
    "carry it through anything that carries bytes. Contexts of different keys have no order\n"
    "(InvalidRequestError), but are unequal.";

// Contexts of different keys stand in no order.
void check_comparable(const PythonContext& left, const PythonContext& right) {
  if (left.encoded.empty() || right.encoded.empty()) return;
  if (left.decoded.keyspace_hash == right.decoded.keyspace_hash &&
      left.decoded.key_hash == right.decoded.key_hash)
    return;
  raise(Status{Code::invalid, "these contexts belong to different keys and cannot be compared"});
}

bool descends(const PythonContext& left, const PythonContext& right) {
  check_comparable(left, right);
  return right.encoded.empty() || left.decoded.descends(right.decoded);
}

py::dict to_dict(const PythonContext& context) {
  py::dict events;
  for (const auto& entry : context.decoded.vector.entries())
    events[py::str(to_string(entry.actor))] = entry.counter;
  py::dict result;
  result["keyspace_hash"] = context.decoded.keyspace_hash;
  result["key_hash"] = context.decoded.key_hash;
  result["timestamp"] = seconds_of_stamp(context.decoded.stamp);
  result["events"] = events;
  return result;
}

PythonContext context_from(const py::object& bytes) {
  return make_context(bytes_from(bytes, "context"));
}

}  // namespace

void bind_contexts(py::module_& module) {
  py::class_<PythonContext>(module, "Context", context_doc)
      .def_static("from_bytes", &context_from, py::arg("encoded"),
                  "The context of these bytes; InvalidRequestError when they are none.")
      .def("__bytes__",
           [](const PythonContext& self) { return python_bytes(ByteView(self.encoded)); })
      .def("to_dict", &to_dict,
           "Plain data for a reader: hashes, timestamp in seconds, actor -> highest counter seen.")
      .def(
          "concurrent",
          [](const PythonContext& self, const PythonContext& other) {
            return !descends(self, other) && !descends(other, self);
          },
          py::arg("other"))
      .def(
          "__le__",
          [](const PythonContext& self, const PythonContext& other) {
            return descends(other, self);
          },
          py::is_operator())
      .def(
          "__ge__",
          [](const PythonContext& self, const PythonContext& other) {
            return descends(self, other);
          },
          py::is_operator())
      .def(
          "__eq__",
          [](const PythonContext& self, const PythonContext& other) {
            return self.encoded == other.encoded;
          },
          py::is_operator())
      .def("__hash__",
           [](const PythonContext& self) { return std::hash<std::string>{}(self.encoded); })
      .def("__repr__",
           [](const PythonContext& self) {
             if (self.encoded.empty()) return std::string("<Context: nothing seen>");
             return "<Context of " + std::to_string(self.decoded.vector.size()) + " actors>";
           })
      .def(
          py::pickle([](const PythonContext& self) { return python_bytes(ByteView(self.encoded)); },
                     [](const py::bytes& encoded) { return context_from(encoded); }))
      .attr("__module__") = "ringwright";
}

}  // namespace ringwright::python
