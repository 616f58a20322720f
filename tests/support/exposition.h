#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ringwright {

// One page of metrics, read back and held against the rules of Prometheus' text format: samples
// under the HELP and TYPE of their family, counters that end in `_total`, and in histograms bounds
// that ascend to +Inf with counts that never fall and end at `_count`.
class Exposition {
 public:
  explicit Exposition(std::string_view text) {
    EXPECT_TRUE(text.empty() || text.back() == '\n') << "the last line has no end";
    while (!text.empty()) {
      const auto end = text.find('\n');
      read(std::string(text.substr(0, end)));
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    for (const auto& [labels, buckets] : buckets_) check_buckets(labels, buckets);
  }

  bool has(const std::string& sample) const { return samples_.contains(sample); }
  // By name and labels; a test fails where it is not there.
  double value(const std::string& sample) const {
    const auto at = samples_.find(sample);
    EXPECT_NE(at, samples_.end()) << sample << " is not there";
    return at == samples_.end() ? 0 : at->second;
  }
  std::string kind(const std::string& family) const {
    const auto at = kinds_.find(family);
    return at == kinds_.end() ? "" : at->second;
  }

 private:
  struct Bucket {
    double bound;
    double count;
  };

  void read(const std::string& line) {
    if (line.starts_with("# HELP ")) {
      family_ = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_FALSE(kinds_.contains(family_)) << family_ << " comes twice";
      EXPECT_GT(line.size(), 8 + family_.size()) << "no help: " << line;
      return;
    }
    if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + family_ + " ")) << line << " under " << family_;
      kinds_[family_] = line.substr(8 + family_.size());
      const bool is_total = family_.ends_with("_total");
      EXPECT_EQ(kinds_[family_] == "counter", is_total) << line;
      return;
    }
    read_sample(line);
  }

  void read_sample(const std::string& line) {
    const auto space = line.rfind(' ');
    ASSERT_NE(space, line.npos) << line;
    const std::string sample = line.substr(0, space);
    char* end = nullptr;
    const double value = std::strtod(line.c_str() + space + 1, &end);
    EXPECT_TRUE(*end == '\0' && end != line.c_str() + space + 1) << line;
    EXPECT_TRUE(samples_.emplace(sample, value).second) << sample << " comes twice";
    const std::string name = sample.substr(0, sample.find('{'));
    if (kind(family_) != "histogram") {
      EXPECT_EQ(name, family_) << line;
      return;
    }
    const std::string labels = name.size() == sample.size() ? "" : sample.substr(name.size());
    if (name == family_ + "_bucket") {
      const auto le = labels.rfind("le=\"");
      ASSERT_NE(le, labels.npos) << line;
      std::string others = labels.substr(0, le);
      if (others.ends_with(',')) others.pop_back();
      const std::string key = family_ + "_count" + (others == "{" ? "" : others + "}");
      buckets_[key].push_back({std::strtod(labels.c_str() + le + 4, nullptr), value});
      return;
    }
    EXPECT_TRUE(name == family_ + "_sum" || name == family_ + "_count") << line;
  }

  void check_buckets(const std::string& count, const std::vector<Bucket>& buckets) const {
    for (std::size_t i = 1; i < buckets.size(); ++i) {
      EXPECT_LT(buckets[i - 1].bound, buckets[i].bound) << count;
      EXPECT_LE(buckets[i - 1].count, buckets[i].count) << count;
    }
    EXPECT_EQ(buckets.back().bound, HUGE_VAL) << count;
    EXPECT_EQ(buckets.back().count, value(count)) << count;
  }

  std::string family_;
  std::map<std::string, std::string> kinds_;
  std::map<std::string, double> samples_;
  std::map<std::string, std::vector<Bucket>> buckets_;  // by the name of their `_count`
};

}  // namespace ringwright
