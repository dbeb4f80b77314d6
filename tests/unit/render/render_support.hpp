// Exports of made segments, and what a reader of each format must accept.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "render/render.hpp"
#include "segment/directory.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide::test {

class RenderTest : public testing::Test {
 protected:
  // As of one second after the last heartbeat of the made pool.
  RenderRequest request() const {
    RenderRequest made;
    made.which.directory = folder_.path();
    made.wall_now_ns = kMadeWallNs + 1'000'000'000;
    return made;
  }
  static std::string exported(std::string_view format, const RenderRequest& request) {
    std::string out;
    const Status status = render(format, request, out);
    EXPECT_TRUE(status) << format << ": " << status.message();
    return out;
  }
  // The file of the made pool; its owner lives as long as the result.
  SegmentFile published(SegmentMaker& made, bool is_alive = true) {
    const std::string path = segment_path(folder_.path(), made.header().pool.view(), made.instance_hex());
    return {path, made.bytes(), is_alive};
  }

  TemporaryFolder folder_;
};

// The lines that contain all of these texts.
inline std::vector<std::string> lines_with(const std::string& text, const std::vector<std::string>& parts) {
  std::vector<std::string> found;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return line.find(part) != line.npos; }))
      found.push_back(line);
  }
  return found;
}

// The number at the end of the only such line; it has no exemplar.
inline double value_of(const std::string& text, const std::vector<std::string>& parts) {
  const std::vector<std::string> found = lines_with(text, parts);
  EXPECT_EQ(found.size(), 1U) << testing::PrintToString(parts) << ": " << testing::PrintToString(found);
  return found.empty() ? -1 : std::stod(found[0].substr(found[0].find("} ") + 2));
}

}  // namespace tide::test
