#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "engine/damage_book.h"
#include "engine/storage_engine.h"

namespace ringwright::python {

// What an exception of an engine's method means, as `ringwright._engines` judges it. Needs the
// interpreter's lock.
Status engine_failure(const std::string& engine, const char* method,
                      const pybind11::error_already_set& error);

// "a str", for the report of a wrong result.
std::string kind_of(pybind11::handle object);

// The cursor over what a Python engine's `iterate` returned. Rows are fetched in pieces that grow,
// the first of them now. Needs the interpreter's lock, which the cursor then takes when it must.
std::unique_ptr<Iterator> make_python_iterator(std::string engine, pybind11::iterator rows,
                                               const KeyRange& range, Direction direction,
                                               std::shared_ptr<DamageBook> damage);

}  // namespace ringwright::python
