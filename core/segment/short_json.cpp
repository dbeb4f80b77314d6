#include "segment/short_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fixed_text.hpp"
#include "base/json.hpp"

namespace tide {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr size_t kTextBytesMin = 24;  // shorter texts are not informative

std::string* longest_member(OrderedJson& object) {
  std::string* longest = nullptr;
  for (OrderedJson& member : object) {
    if (!member.is_string()) continue;
    std::string& text = member.get_ref<std::string&>();
    if (longest == nullptr || text.size() > longest->size()) longest = &text;
  }
  return longest;
}

}  // namespace

std::string shortened_object(std::string_view object, size_t bytes_max) {
  if (object.size() <= bytes_max) return std::string(object);
  OrderedJson whole = OrderedJson::parse(object, nullptr, false);
  if (!whole.is_object()) return {};
  std::string out = json_dump(whole);
  while (out.size() > bytes_max) {
    std::string* const text = longest_member(whole);
    if (text != nullptr && text->size() > kTextBytesMin) {
      const size_t excess = out.size() - bytes_max;
      // Escaped characters take more bytes than in the text, so another round may be needed.
      *text = shortened(*text, std::max(kTextBytesMin, text->size() - std::min(excess, text->size() - 1)));
    } else if (whole.empty()) {
      return {};
    } else {
      whole.erase(std::prev(whole.end()));
    }
    out = json_dump(whole);
  }
  return out;
}

}  // namespace tide
