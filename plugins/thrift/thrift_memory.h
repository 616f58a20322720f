#pragma once

#include <thrift/TConfiguration.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TTransportException.h>
#include <thrift/transport/TVirtualTransport.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/base/bytes.h"
#include "plugins/thrift/binary.h"

// Memory as the Thrift library's protocols read and write it.
namespace ringwright::wire {

// Borrows the bytes.
class InputMemory final : public apache::thrift::transport::TVirtualTransport<InputMemory> {
 public:
  InputMemory(ByteView bytes, std::shared_ptr<apache::thrift::TConfiguration> limits)
      : TVirtualTransport(std::move(limits)), size_(bytes.size()), left_(bytes) {}
  bool isOpen() const override { return true; }
  void close() override {}

  std::uint32_t read(std::uint8_t* into, std::uint32_t wanted) {
    const std::size_t size = std::min<std::size_t>(wanted, left_.size());
    std::memcpy(into, left_.data(), size);
    left_.remove_prefix(size);
    return static_cast<std::uint32_t>(size);
  }
  std::uint32_t readAll(std::uint8_t* into, std::uint32_t wanted) {
    if (wanted > left_.size())
      throw apache::thrift::transport::TTransportException(
          apache::thrift::transport::TTransportException::END_OF_FILE, "the frame is cut short");
    return read(into, wanted);
  }
  const std::uint8_t* borrow(std::uint8_t*, std::uint32_t* size) {
    if (*size > left_.size()) return nullptr;
    *size = static_cast<std::uint32_t>(left_.size());
    return reinterpret_cast<const std::uint8_t*>(left_.data());
  }
  void consume(std::uint32_t size) { left_.remove_prefix(size); }
  // A length that the frame cannot hold is refused before anything is allocated for it. The whole
  // frame and not its rest: the compact protocol asks for a string when it has read it already.
  void checkReadBytesAvailable(long size) {
    if (size < 0 || static_cast<std::size_t>(size) > size_)
      throw apache::thrift::transport::TTransportException(
          apache::thrift::transport::TTransportException::END_OF_FILE, "the frame is cut short");
  }
  std::size_t left() const { return left_.size(); }

 private:
  const std::size_t size_;
  ByteView left_;
};

// Appends to the bytes.
class OutputMemory final : public apache::thrift::transport::TVirtualTransport<OutputMemory> {
 public:
  explicit OutputMemory(Bytes& out) : out_(out) {}
  bool isOpen() const override { return true; }
  void close() override {}
  void write(const std::uint8_t* from, std::uint32_t size) {
    out_.append(reinterpret_cast<const char*>(from), size);
  }

 private:
  Bytes& out_;
};

template <typename Transport>
using BinaryProtocol = apache::thrift::protocol::TBinaryProtocolT<Transport>;
template <typename Transport>
using CompactProtocol = apache::thrift::protocol::TCompactProtocolT<Transport>;

inline std::shared_ptr<apache::thrift::TConfiguration> memory_limits(std::size_t bytes) {
  const int size = static_cast<int>(bytes);
  return std::make_shared<apache::thrift::TConfiguration>(size, size, binary::depth_max);
}

}  // namespace ringwright::wire
