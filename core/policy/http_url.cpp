#include "policy/http_url.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "policy/url.hpp"

namespace tide {
namespace {

// What is between "://" and the path.
std::string_view authority_of(std::string_view url) {
  const size_t begin = url.find("://");
  if (begin == url.npos) return {};
  const std::string_view rest = url.substr(begin + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

// The authority without the user.
std::string_view host_and_port(std::string_view authority) {
  const size_t at = authority.rfind('@');
  return at == authority.npos ? authority : authority.substr(at + 1);
}

std::string_view port_of(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.find(':', bracket == host.npos ? 0 : bracket);
  return colon == host.npos ? std::string_view{} : host.substr(colon);
}

bool is_port(std::string_view digits) {
  int64_t port = 0;
  if (digits.empty() || digits.size() > 5) return false;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    port = port * 10 + (c - '0');
  }
  return port >= 1 && port <= 65535;
}

}  // namespace

std::string why_not_http_url(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; }))
    return "contains a blank or a control character";
  const std::string scheme = lower_case(scheme_of(text));
  if (text.find("://") == text.npos) return "has no scheme";
  if (scheme != "http" && scheme != "https") return "has a scheme other than http and https";
  const std::string_view host = host_and_port(authority_of(text));
  const std::string_view port = port_of(host);
  if (host.size() == port.size()) return "names no host";
  if (!port.empty() && !is_port(port.substr(1))) return "has a port that is not a number from 1 to 65535";
  return "";
}

std::string origin_of(std::string_view url) {
  if (!why_not_http_url(url).empty()) return "";
  return lower_case(scheme_of(url)) + "://" + std::string(host_and_port(authority_of(url)));
}

}  // namespace tide
