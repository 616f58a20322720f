#include "plugins/rocksdb/merge_operator.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugins/rocksdb/convert.h"

namespace ringwright {
namespace {

class PolicyMergeOperator final : public rocksdb::MergeOperator {
 public:
  explicit PolicyMergeOperator(std::shared_ptr<const RecordPolicy> policy)
      : policy_(std::move(policy)) {}

  const char* Name() const override { return "ringwright.RecordPolicy"; }

  // False makes RocksDB report corruption for the key, and never drops an operand. A policy is
  // total, so this happens only when memory runs out.
  bool FullMergeV2(const MergeOperationInput& input, MergeOperationOutput* output) const override {
    try {
      const std::vector<ByteView> operands = views(input.operand_list);
      std::optional<ByteView> base;
      if (input.existing_value != nullptr) base = to_view(*input.existing_value);
      output->new_value = policy_->merge(to_view(input.key), base, operands);
      return true;
    } catch (...) {
      return false;
    }
  }

  // False leaves the operands apart, which is always right, only slower.
  bool PartialMergeMulti(const rocksdb::Slice& key, const std::deque<rocksdb::Slice>& operand_list,
                         std::string* new_value, rocksdb::Logger*) const override {
    try {
      const std::vector<ByteView> operands = views(operand_list);
      *new_value = policy_->join(to_view(key), operands);
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  template <typename Slices>
  static std::vector<ByteView> views(const Slices& slices) {
    std::vector<ByteView> all;
    all.reserve(slices.size());
    for (const rocksdb::Slice& slice : slices) all.push_back(to_view(slice));
    return all;
  }

  std::shared_ptr<const RecordPolicy> policy_;
};

}  // namespace

std::shared_ptr<rocksdb::MergeOperator> make_merge_operator(
    std::shared_ptr<const RecordPolicy> policy) {
  return std::make_shared<PolicyMergeOperator>(std::move(policy));
}

}  // namespace ringwright
