#include "bindings/python_rows.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bindings/interpreter.h"

namespace ringwright::python {
namespace {

namespace py = pybind11;

// A piece ends at whichever comes first. It bounds what a cursor that stands still keeps.
constexpr std::size_t piece_rows_max = 256;
constexpr std::size_t piece_bytes_max = std::size_t{1} << 20;

class PythonIterator final : public Iterator {
 public:
  PythonIterator(std::string engine, py::iterator rows, KeyRange range, Direction direction,
                 std::shared_ptr<DamageBook> damage)
      : engine_(std::move(engine)),
        source_(std::move(rows)),
        range_(std::move(range)),
        forward_(direction == Direction::forward),
        damage_(std::move(damage)) {}

  ~PythonIterator() override {
    if (!source_) return;
    const InterpreterPass pass;
    if (!pass) {
      source_.release();
      return;
    }
    const py::gil_scoped_acquire lock;
    source_ = py::object();
  }

  Status status() const override { return valid() ? ok_status() : end_; }

  void next() override {
    ++at_;
    if (at_ >= rows_.size() && !ended_) fetch_more();
    stand();
  }

  // The first piece, with the interpreter's lock.
  void begin() {
    fetch();
    stand();
  }

 private:
  void stand() {
    if (at_ < rows_.size())
      stand_on(rows_[at_].first, rows_[at_].second);
    else
      stand_nowhere();
  }

  void fetch_more() {
    const InterpreterPass pass;
    if (!pass) return end({Code::closed, "the interpreter ends"});
    const py::gil_scoped_acquire lock;
    fetch();
  }

  void fetch() {
    rows_.clear();
    at_ = 0;
    std::size_t bytes = 0;
    try {
      while (!ended_ && rows_.size() < piece_rows_ && bytes < piece_bytes_max) {
        // Steals the reference; null at the end or with an error set.
        const auto item = py::reinterpret_steal<py::object>(PyIter_Next(source_.ptr()));
        if (!item) {
          if (PyErr_Occurred() != nullptr) throw py::error_already_set();
          end(ok_status());
        } else if (const Status taken = take(item); taken.is_ok()) {
          bytes += rows_.back().first.size() + rows_.back().second.size();
        } else {
          end(taken);
        }
      }
    } catch (const py::error_already_set& error) {
      end(engine_failure(engine_, "iterate", error));
    }
    piece_rows_ = std::min(piece_rows_ * 2, piece_rows_max);
  }

  Status take(const py::object& item) {
    const auto wrong = [&](const std::string& what) {
      return Status{Code::io_error, "iterate of the engine '" + engine_ + "' " + what};
    };
    if (!py::isinstance<py::tuple>(item) || py::len(item) != 2)
      return wrong("gave " + kind_of(item) + " instead of a tuple (key, row)");
    const py::tuple pair = item;
    if (!py::isinstance<py::bytes>(pair[0]) || !py::isinstance<py::bytes>(pair[1]))
      return wrong("gave (" + kind_of(pair[0]) + ", " + kind_of(pair[1]) +
                   ") instead of two bytes");
    Bytes key = pair[0].cast<Bytes>();
    if (key < range_.start || (!range_.stop.empty() && key >= range_.stop))
      return wrong("gave the key " + printable(key) + ", which is not in the range asked for");
    if (has_last_ && (forward_ ? key <= last_ : key >= last_))
      return wrong("gave the key " + printable(key) + " after " + printable(last_) +
                   ": keys go up, or down in reverse, each once");
    last_ = key;
    has_last_ = true;
    rows_.emplace_back(std::move(key), pair[1].cast<Bytes>());
    return ok_status();
  }

  void end(Status status) {
    ended_ = true;
    end_ = std::move(status);
    if (end_.code() != Code::corrupt) return;
    KeyRange rest = range_;
    if (has_last_ && forward_) rest.start = last_ + '\0';
    if (has_last_ && !forward_) rest.stop = last_;
    damage_->note(std::move(rest));
  }

  const std::string engine_;
  py::object source_;
  const KeyRange range_;
  const bool forward_;
  const std::shared_ptr<DamageBook> damage_;
  std::vector<std::pair<Bytes, Bytes>> rows_;
  std::size_t at_ = 0;
  std::size_t piece_rows_ = 1;
  Bytes last_;
  bool has_last_ = false;
  bool ended_ = false;
  Status end_;  // what is said behind the last row
};

Code code_named(const std::string& name) {
  for (auto number = static_cast<int>(Code::invalid); number <= static_cast<int>(Code::mismatch);
       ++number)
    if (code_name(static_cast<Code>(number)) == name) return static_cast<Code>(number);
  return Code::io_error;
}

}  // namespace

std::string kind_of(py::handle object) {
  if (object.is_none()) return "None";
  return "a " + std::string(Py_TYPE(object.ptr())->tp_name);
}

Status engine_failure(const std::string& engine, const char* method,
                      const py::error_already_set& error) {
  const std::string place = std::string(method) + " of the engine '" + engine + "' raised";
  // Only shown exceptions carry their trace themselves.
  const py::handle trace = error.trace() ? py::handle(error.trace()) : py::none();
  try {
    const py::tuple judged = py::module_::import("ringwright._engines")
                                 .attr("_failure")(engine, method, error.value(),
                                                   py::reinterpret_borrow<py::object>(trace));
    return {code_named(judged[0].cast<std::string>()), judged[1].cast<std::string>()};
  } catch (const py::error_already_set& another) {
    another.what();
  } catch (const py::cast_error&) {
  }
  // An exception that cannot even be shown.
  const bool is_write = std::string_view(method) == "write";
  return {is_write ? Code::in_doubt : Code::io_error, place + " what cannot be shown"};
}

std::unique_ptr<Iterator> make_python_iterator(std::string engine, py::iterator rows,
                                               const KeyRange& range, Direction direction,
                                               std::shared_ptr<DamageBook> damage) {
  auto made = std::make_unique<PythonIterator>(std::move(engine), std::move(rows), range, direction,
                                               std::move(damage));
  made->begin();
  return made;
}

}  // namespace ringwright::python
