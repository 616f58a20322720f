#pragma once

#include <pybind11/pybind11.h>

#include "replication/history/history.h"

namespace ringwright::python {

// A history as a Python object; as a plain vector it would be converted element by element.
struct PythonHistory {
  History operations;
};

pybind11::dict python_operation(const HistoryOperation& operation);

}  // namespace ringwright::python
