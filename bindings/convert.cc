#include "bindings/convert.h"

#include <cmath>

#include "bindings/errors.h"

namespace ringwright::python {
namespace {

// A view of a Python buffer, given back at the end.
class Buffer {
 public:
  explicit Buffer(py::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  ByteView bytes() const {
    return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_;
};

// The context that covers a sibling's own event, as far as one vector can say it. A record of kind
// `lww` has no vector, and its siblings have no counters.
Context context_of(const ShownSibling& sibling, const Context& seen) {
  Context context;
  context.keyspace_hash = seen.keyspace_hash;
  context.key_hash = seen.key_hash;
  context.stamp = sibling.stamp;
  if (!seen.vector.empty() && sibling.dot.counter > 0)
    context.vector.raise(sibling.dot, sibling.stamp);
  return context;
}

}  // namespace

Bytes bytes_from(py::handle object, const char* what) {
  if (PyBytes_Check(object.ptr()))
    return {PyBytes_AS_STRING(object.ptr()),
            static_cast<std::size_t>(PyBytes_GET_SIZE(object.ptr()))};
  const std::string type = Py_TYPE(object.ptr())->tp_name;
  if (PyUnicode_Check(object.ptr()))
    throw py::type_error(std::string(what) + " must be bytes, not str: encode it first, as in " +
                         what + ".encode()");
  if (!PyObject_CheckBuffer(object.ptr()))
    throw py::type_error(std::string(what) + " must be bytes, bytearray or memoryview, not " +
                         type);
  return Bytes(Buffer(object).bytes());
}

py::bytes python_bytes(ByteView bytes) { return {bytes.data(), bytes.size()}; }

double seconds_of(Nanoseconds span) { return static_cast<double>(span) / 1e9; }
double seconds_of_stamp(Timestamp stamp) { return static_cast<double>(wall_us_of(stamp)) / 1e6; }
Nanoseconds nanoseconds_of(double seconds) { return std::llround(seconds * 1e9); }

std::string name_of(const Ring& ring, const NodeId& id) {
  if (id == NodeId{}) return {};
  const auto member = ring.index_of(id);
  return member ? ring.members()[*member].name : to_string(id);
}

PythonContext make_context(Bytes encoded) {
  if (encoded.empty()) return {};
  auto decoded = decode_context(encoded);
  if (!decoded) raise(decoded.error());
  return {std::move(encoded), std::move(*decoded)};
}

PythonContext make_context(const Context& context) { return {encode(context), context}; }

py::list python_siblings(const std::vector<ShownSibling>& siblings, const Context& seen,
                         const Ring* ring) {
  py::list shown;
  for (const ShownSibling& sibling : siblings) {
    const NodeId& node = sibling.dot.actor.node;
    shown.append(py::make_tuple(
        python_bytes(ByteView(sibling.value)), make_context(context_of(sibling, seen)),
        seconds_of_stamp(sibling.stamp), ring != nullptr ? name_of(*ring, node) : to_string(node)));
  }
  return shown;
}

}  // namespace ringwright::python
