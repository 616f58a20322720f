#include <pybind11/pybind11.h>

#include "bindings/convert.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native part of ringwright; private.";
  module.attr("__version__") = RINGWRIGHT_VERSION;
  ringwright::python::bind_contexts(module);
  ringwright::python::bind_settings(module);
  ringwright::python::bind_registry(module);
  ringwright::python::bind_engines(module);
  ringwright::python::bind_client(module);
  ringwright::python::bind_cluster(module);
  ringwright::python::bind_node(module);
  ringwright::python::bind_history(module);
  ringwright::python::bind_simulation(module);
}
