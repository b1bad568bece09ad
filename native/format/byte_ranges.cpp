#include "format/byte_ranges.h"

#include <algorithm>
#include <tuple>

namespace lyaplock {

std::optional<std::string> overlap_in(std::vector<ByteRange> ranges) {
  std::erase_if(ranges, [](const ByteRange& range) { return range.begin == range.end; });
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    const ByteRange& before = ranges[i - 1];
    if (ranges[i].begin >= before.end) continue;
    std::string text = "tensor \"";
    text.append(ranges[i].name).append("\" begins at byte ").append(std::to_string(ranges[i].begin));
    text.append(", inside tensor \"").append(before.name).append("\", which ends at ");
    return text.append(std::to_string(before.end));
  }
  return std::nullopt;
}

}  // namespace lyaplock
