// SPDX-License-Identifier: Apache-2.0
// Compares files of cases (see metrics_cases.py) with the library: metrics_driver FILE...
#include <cstdio>
#include <map>

#include "../metrics/golden.hpp"

int main(int argc, char** argv) {
  std::map<std::string, std::pair<int, int>> counts;
  for (int i = 1; i < argc; ++i)
    for (const auto& c : metrics_golden::read_cases(argv[i])) {
      auto& [bad, all] = counts[c.at("metric").get<std::string>()];
      ++all;
      const std::string difference = metrics_golden::difference(c);
      if (difference.empty()) continue;
      if (++bad <= 3)
        std::printf("%s\n  %s\n", difference.c_str(), c.dump().substr(0, 1500).c_str());
    }
  int failed = 0;
  for (const auto& [metric, count] : counts) {
    std::printf("%-22s %6d cases, %d differ\n", metric.c_str(), count.second, count.first);
    failed += count.first;
  }
  return failed != 0;
}
