#include "bindings/python_engine.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <utility>

#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/interpreter.h"
#include "bindings/python_rows.h"
#include "engine/base/nearest.h"
#include "engine/engine_directory.h"
#include "engine/iterators.h"
#include "engine/registry.h"
#include "replication/runtime/parts.h"

namespace ringwright::python {
namespace {

// Of an engine's directory, beside the file ENGINE: what the engine may fill as it likes.
constexpr std::string_view rows_folder = "/rows";

template <typename Number>
void raise_to(std::atomic<Number>& highest, Number number) {
  Number seen = highest.load();
  while (seen < number && !highest.compare_exchange_weak(seen, number)) continue;
}

py::object python_stop(const KeyRange& range) {
  if (range.stop.empty()) return py::none();
  return python_bytes(range.stop);
}

py::list python_operations(const WriteBatch& batch) {
  const py::object make = py::module_::import("ringwright._engines").attr("Op");
  py::list operations;
  for (const auto& operation : batch.operations())
    operations.append(make(operation.kind == WriteBatch::Kind::put ? "put" : "remove",
                           python_bytes(operation.key), python_bytes(operation.value)));
  return operations;
}

// A number that is not negative; nothing: it is none.
std::optional<std::uint64_t> number_from(py::handle object) {
  if (!py::isinstance<py::int_>(object) || py::isinstance<py::bool_>(object)) return std::nullopt;
  const std::uint64_t number = PyLong_AsUnsignedLongLong(object.ptr());
  if (PyErr_Occurred() == nullptr) return number;
  PyErr_Clear();
  return std::nullopt;
}

}  // namespace

PythonEngine::~PythonEngine() { close().ignore("a destructor has nobody to tell"); }

// Runs `work`, which gives a Status, with the interpreter's lock, and judges what it throws.
template <typename Work>
Status PythonEngine::call(const char* method, Work&& work) {
  const InterpreterPass pass;
  if (!pass) return {Code::closed, "the interpreter ends, and with it the engine"};
  const py::gil_scoped_acquire lock;
  if (!engine_ && state_ != State::fresh) return usable();
  try {
    return work();
  } catch (const py::error_already_set& error) {
    return engine_failure(type_.name, method, error);
  } catch (const std::exception& error) {
    const bool is_write = std::string_view(method) == "write";
    return {is_write ? Code::in_doubt : Code::io_error,
            std::string(method) + " of the engine '" + type_.name + "': " + error.what()};
  }
}

// For what has no error result: the interpreter shows the exception on its standard error.
template <typename Work>
void PythonEngine::call_without_result(const char* method, Work&& work) {
  const Status status = call(method, [&] {
    const py::object place = engine_.attr(method);
    try {
      work(engine_);
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable(place);
    } catch (const py::cast_error&) {
      const std::string told =
          std::string(method) + " of the engine '" + type_.name + "' returned something else";
      PyErr_SetString(PyExc_TypeError, told.c_str());
      PyErr_WriteUnraisable(place.ptr());
    }
    return ok_status();
  });
  status.ignore("there is no error result");
}

Status PythonEngine::check_context(const EngineContext& context) const {
  const std::string engine = "the engine '" + type_.name + "' ";
  for (const auto& [option, value] : context.options) {
    if (std::find(type_.options.begin(), type_.options.end(), option) != type_.options.end())
      continue;
    std::string text = engine + "has no option '" + option + "'";
    if (!type_.options.empty())
      text += "; did you mean '" + nearest_name(option, type_.options) + "'?";
    return {Code::invalid, text};
  }
  if (context.durability > type_.durability)
    return {Code::invalid, engine + "gives at most durability '" +
                               std::string(durability_name(type_.durability)) + "', not '" +
                               std::string(durability_name(context.durability)) +
                               "': ask for that, or raise the durability of its class"};
  if (!context.disk || context.disk->real_path(context.path).empty())
    return {Code::invalid, engine +
                               "is written in Python and needs a real directory, which there "
                               "is none of here"};
  return ok_status();
}

Status PythonEngine::take_directory(const EngineContext& context) {
  Disk& disk = *context.disk;
  RW_TRY(disk.make_directories(context.path));
  auto lock = disk.lock(context.path);
  if (!lock) return lock.error();
  RW_TRY(claim_engine_directory(disk, context.path, type_.name, type_.format));
  RW_TRY(disk.make_directories(context.path + std::string(rows_folder)));
  directory_lock_ = std::move(*lock);
  return ok_status();
}

Status PythonEngine::open(const EngineContext& context) {
  if (state_ == State::closed) return usable();
  if (state_ == State::open)
    return {Code::invalid, "the engine '" + type_.name + "' is open already"};
  RW_TRY(check_context(context));
  RW_TRY(take_directory(context));
  const std::string folder = context.disk->real_path(context.path + std::string(rows_folder));
  const Status opened = call("open", [&] {
    engine_ = py::module_::import("ringwright._engines")
                  .attr("_open")(type_.type, type_.name, folder, context.options);
    return ok_status();
  });
  if (!opened.is_ok()) {
    directory_lock_.reset();
    return opened;
  }
  context_ = context;
  state_ = State::open;
  return ok_status();
}

Status PythonEngine::usable() const {
  return state_ == State::open
             ? ok_status()
             : Status{Code::closed, "the engine '" + type_.name + "' is not open"};
}

PythonEngine::Row PythonEngine::row_from(py::handle item) const {
  if (item.is_none()) return std::optional<Bytes>();
  if (py::isinstance<py::bytes>(item)) return std::optional<Bytes>(item.cast<Bytes>());
  return Status{Code::io_error, "multi_get of the engine '" + type_.name + "' returned " +
                                    kind_of(item) + " for a key: return bytes, or None"};
}

Status PythonEngine::call_multi_get(std::span<const Bytes> keys, std::vector<Row>& found) {
  return call("multi_get", [&]() -> Status {
    py::list asked;
    for (const Bytes& key : keys) asked.append(python_bytes(key));
    const py::object rows = engine_.attr("multi_get")(asked);
    const std::string returned = "multi_get of the engine '" + type_.name + "' returned ";
    if (!py::isinstance<py::list>(rows) && !py::isinstance<py::tuple>(rows))
      return {Code::io_error, returned + kind_of(rows) + ": return a list"};
    if (py::len(rows) != keys.size())
      return {Code::io_error, returned + std::to_string(py::len(rows)) + " rows for " +
                                  std::to_string(keys.size()) + " keys"};
    for (const py::handle item : rows) found.push_back(row_from(item));
    return ok_status();
  });
}

std::vector<PythonEngine::Row> PythonEngine::multi_get(std::span<const Bytes> keys,
                                                       MayBlock may_block) {
  if (const Status status = usable(); !status.is_ok()) return {keys.size(), Row(status)};
  if (may_block == MayBlock::no) return {keys.size(), Row(Status{Code::would_block, "may block"})};
  if (keys.empty()) return {};
  std::vector<Row> found;
  found.reserve(keys.size());
  const Status status = call_multi_get(keys, found);
  if (status.is_ok()) return found;
  found.clear();
  if (keys.size() == 1) {
    if (status.code() == Code::corrupt) damage_->note(range_of_key(keys.front()));
    found.emplace_back(status);
    return found;
  }
  // One bad row must not make its neighbours bad: a corrupt one is written anew by a repair.
  for (const Bytes& key : keys) {
    auto single = multi_get({&key, 1}, MayBlock::yes);
    found.push_back(std::move(single.front()));
  }
  return found;
}

void PythonEngine::note_write(std::uint64_t sequence) {
  raise_to(last_sequence_, sequence);
  if (!type_.tells_pressure) return;
  call_without_result("pressure", [this](const py::object& engine) {
    const auto told = engine.attr("pressure")().cast<double>();
    pressure_ = told > 0 ? std::min(told, 1.0) : 0.0;  // also where it is no number
  });
}

Result<std::uint64_t> PythonEngine::write(const WriteBatch& batch, MayBlock may_block) {
  RW_TRY(usable());
  if (batch.empty()) return last_sequence_.load();
  const auto& operations = batch.operations();
  if (std::any_of(operations.begin(), operations.end(),
                  [](const auto& operation) { return operation.kind == WriteBatch::Kind::merge; }))
    return Status{Code::invalid, "the engine '" + type_.name +
                                     "' is written in Python and does "
                                     "not merge"};
  if (sync_failed_)
    return Status{Code::io_error, "a sync of the engine '" + type_.name + "' failed: reopen it"};
  if (may_block == MayBlock::no) return Status{Code::would_block, "may block"};
  const std::uint64_t before = last_sequence_;
  std::uint64_t sequence = 0;
  RW_TRY(call("write", [&]() -> Status {
    const py::object returned = engine_.attr("write")(python_operations(batch));
    const auto number = number_from(returned);
    if (!number)
      return {Code::in_doubt, "write of the engine '" + type_.name + "' returned " +
                                  kind_of(returned) +
                                  ": return the sequence of the write, a number that grows"};
    if (*number <= before)
      return {Code::in_doubt, "write of the engine '" + type_.name + "' returned the sequence " +
                                  std::to_string(*number) + " after " + std::to_string(before) +
                                  ": it must grow with every write"};
    sequence = *number;
    return ok_status();
  }));
  note_write(sequence);
  return sequence;
}

Status PythonEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  RW_TRY(usable());
  if (sync_failed_)
    return {Code::io_error, "a sync of the engine '" + type_.name + "' failed: reopen it"};
  if (context_.durability != Durability::disk || sequence <= synced_sequence_) return ok_status();
  if (may_block == MayBlock::no) return {Code::would_block, "may block"};
  const Status synced = call("sync", [&] {
    engine_.attr("sync")(sequence);
    return ok_status();
  });
  if (synced.is_ok())
    raise_to(synced_sequence_, sequence);
  else if (synced.code() != Code::no_space)
    sync_failed_ = true;
  return synced;
}

std::unique_ptr<Iterator> PythonEngine::iterate(const KeyRange& range, Direction direction) {
  const Status status = usable();
  if (!status.is_ok() || range.is_nothing()) return make_empty_iterator(status);
  std::unique_ptr<Iterator> made;
  const Status called = call("iterate", [&]() -> Status {
    const py::object rows = engine_.attr("iterate")(python_bytes(range.start), python_stop(range),
                                                    direction == Direction::reverse);
    if (!py::hasattr(rows, "__iter__"))
      return {Code::io_error, "iterate of the engine '" + type_.name + "' returned " +
                                  kind_of(rows) + ": return an iterator of (key, row)"};
    made = make_python_iterator(type_.name, py::iter(rows), range, direction, damage_);
    return ok_status();
  });
  if (called.is_ok()) return made;
  if (called.code() == Code::corrupt) damage_->note(range);
  return make_empty_iterator(called);
}

Status PythonEngine::drop_range(const KeyRange& range) {
  RW_TRY(usable());
  if (range.is_nothing()) return ok_status();
  return call("drop_range", [&] {
    engine_.attr("drop_range")(python_bytes(range.start), python_stop(range));
    return ok_status();
  });
}

Status PythonEngine::flush() {
  RW_TRY(usable());
  return call("flush", [&] {
    engine_.attr("flush")();
    return ok_status();
  });
}

Status PythonEngine::checkpoint(const std::string& path) {
  RW_TRY(usable());
  Disk& disk = *context_.disk;
  const auto names = disk.list(path);
  if (!names) return names.error();
  if (!names->empty())
    return {Code::invalid, "a checkpoint needs a directory of its own, and '" + path +
                               "' holds files: " + names->front()};
  RW_TRY(disk.make_directories(path));
  const auto lock = disk.lock(path);
  if (!lock) return lock.error();
  RW_TRY(claim_engine_directory(disk, path, type_.name, type_.format));
  const std::string rows = path + std::string(rows_folder);
  RW_TRY(disk.make_directories(rows));
  return call("checkpoint", [&] {
    engine_.attr("_checkpoint")(disk.real_path(rows));
    return ok_status();
  });
}

std::uint64_t PythonEngine::approximate_bytes(const KeyRange& range) {
  std::uint64_t bytes = 0;
  if (!usable().is_ok() || range.is_nothing()) return bytes;
  call_without_result("approximate_bytes", [&](const py::object& engine) {
    bytes = engine.attr("approximate_bytes")(python_bytes(range.start), python_stop(range))
                .cast<std::uint64_t>();
  });
  return bytes;
}

EngineStats PythonEngine::stats() {
  EngineStats stats;
  if (!usable().is_ok()) return stats;
  call_without_result("stats", [&](const py::object& engine) {
    const py::object told = engine.attr("stats")();
    stats.approximate_keys = told.attr("approximate_keys").cast<std::uint64_t>();
    stats.disk_bytes = told.attr("disk_bytes").cast<std::uint64_t>();
    stats.memory_bytes = told.attr("memory_bytes").cast<std::uint64_t>();
  });
  stats.damaged = damage_->ranges();
  return stats;
}

// The last reference goes with the interpreter's lock, or not at all.
void PythonEngine::let_go() {
  const InterpreterPass pass;
  if (!pass) {
    engine_.release();
    return;
  }
  const py::gil_scoped_acquire lock;
  engine_ = py::object();
}

Status PythonEngine::close() {
  if (state_.exchange(State::closed) != State::open) return ok_status();
  const Status closed = call("close", [&] {
    engine_.attr("close")();
    return ok_status();
  });
  let_go();
  directory_lock_.reset();
  return closed;
}

namespace {

void register_engine(const std::string& name, const py::object& type, const std::string& durability,
                     std::uint32_t format, const std::vector<std::string>& options,
                     bool tells_pressure, const std::string& origin) {
  const auto* const kept = new PythonEngineType{
      name, type, unwrap(parse_durability(durability)), format, options, tells_pressure};
  registry_with_parts().add<StorageEngine>(
      name, [kept] { return std::make_unique<PythonEngine>(*kept); }, origin);
}

}  // namespace

void bind_engines(py::module_& module) {
  module.def("register_engine", &register_engine, py::arg("name"), py::arg("type"),
             py::arg("durability"), py::arg("format"), py::arg("options"),
             py::arg("tells_pressure"), py::arg("origin"));
  module.def("shut_engines", [] { return unlocked([] { return InterpreterPass::shut(); }); });
}

}  // namespace ringwright::python
