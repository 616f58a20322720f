#include "replication/history/history.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/history.h"

namespace ringwright::python {
namespace {

constexpr std::string_view type_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "fail";
    case Outcome::unknown:
      return "info";
  }
  return "";
}

py::object context_or_none(const std::optional<Context>& context) {
  return context ? py::cast(make_context(*context)) : py::none();
}

}  // namespace

py::dict python_operation(const HistoryOperation& operation) {
  py::list dots;
  for (const auto& event : operation.events) dots.append(to_string(event.dot));
  py::list read;
  for (const ShownSibling& sibling : operation.read)
    read.append(python_bytes(ByteView(sibling.value)));
  py::dict result;
  result["id"] = operation.id;
  result["client"] = operation.client;
  result["session"] = operation.session;
  result["key"] = python_bytes(ByteView(operation.key));
  result["kind"] = operation_kind_name(operation.kind);
  result["value"] = python_bytes(ByteView(operation.value));
  result["ctx_in"] = context_or_none(operation.context_in);
  result["ctx_out"] = context_or_none(operation.context_out);
  result["dots"] = dots;
  result["read"] = read;
  result["r"] = operation.r;
  result["w"] = operation.w;
  result["n"] = operation.n;
  result["invoke_t"] = seconds_of(operation.invoke_t);
  result["return_t"] = operation.return_t == never ? py::object(py::none())
                                                   : py::float_(seconds_of(operation.return_t));
  result["type"] = type_of(operation.outcome);
  result["code"] = code_name(operation.code);
  result["coord"] = operation.coordinator;
  return result;
}

void bind_history(py::module_& module) {
  py::class_<PythonHistory>(module, "History")
      .def_static(
          "from_json_lines",
          [](const std::string& text) { return PythonHistory{unwrap(parse_json_lines(text))}; },
          py::arg("text"))
      .def("to_json_lines",
           [](const PythonHistory& self) { return to_json_lines(self.operations); })
      .def("__len__", [](const PythonHistory& self) { return self.operations.size(); })
      .def("operations", [](const PythonHistory& self) {
        py::list all;
        for (const HistoryOperation& operation : self.operations)
          all.append(python_operation(operation));
        return all;
      });
}

}  // namespace ringwright::python
