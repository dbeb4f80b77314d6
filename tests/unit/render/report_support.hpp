// Reports on the segments of one directory, and texts that a hostile program may have put into them.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "render/render.hpp"
#include "unit/reading/reading_support.hpp"

namespace tide::test {

// Quotes, escape sequences of both kinds, a change of the direction of writing, wide characters, and broken UTF-8.
inline const std::string kHostile =
    "it's \"x\"\n\x1b[31m\xc2\x9b"
    "2J \xe2\x80\xae \xe6\xbc\xa2\xe5\xad\x97 \xff end";

class Reports : public testing::Test {
 protected:
  TempDirectory directory;
  RenderRequest request{{directory.path(), "", ""}, 0, kNowWall};

  std::string rendered(const std::string& format) {
    std::string out;
    const Status status = render(format, request, out);
    EXPECT_TRUE(status.is_ok()) << status.message();
    return out;
  }
  nlohmann::ordered_json json(const std::string& format) { return nlohmann::ordered_json::parse(rendered(format)); }
  Status refusal(const std::string& format) {
    std::string out;
    const Status status = render(format, request, out);
    EXPECT_FALSE(status.is_ok());
    EXPECT_EQ(out, "");
    return status;
  }
};

}  // namespace tide::test
