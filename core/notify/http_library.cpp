#include "notify/http_library.hpp"

#include <dlfcn.h>

#include <array>
#include <cstdio>

namespace tide {
namespace {

constexpr const char* kCurlFile = "libcurl.so.4";

template <typename Function>
bool find_in(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  return out != nullptr;
}

Status unusable(std::string why) {
  return Status::error(Code::unavailable, "notify_webhook_url needs libcurl, which cannot be used: " + std::move(why),
                       "Alerts are delivered by libcurl 7.66 or newer, which is loaded when it is needed.",
                       "Install it (on Debian and Ubuntu the package libcurl4, on Fedora libcurl), or leave "
                       "notify_webhook_url empty.");
}

bool find_all(void* library, HttpLibrary& out) {
  return find_in(library, "curl_easy_init", out.easy_init) && find_in(library, "curl_easy_setopt", out.easy_setopt) &&
         find_in(library, "curl_easy_getinfo", out.easy_getinfo) &&
         find_in(library, "curl_easy_strerror", out.easy_strerror) &&
         find_in(library, "curl_easy_cleanup", out.easy_cleanup) &&
         find_in(library, "curl_multi_init", out.multi_init) &&
         find_in(library, "curl_multi_add_handle", out.multi_add_handle) &&
         find_in(library, "curl_multi_remove_handle", out.multi_remove_handle) &&
         find_in(library, "curl_multi_perform", out.multi_perform) &&
         find_in(library, "curl_multi_poll", out.multi_poll) &&
         find_in(library, "curl_multi_info_read", out.multi_info_read) &&
         find_in(library, "curl_multi_cleanup", out.multi_cleanup) &&
         find_in(library, "curl_slist_append", out.slist_append) &&
         find_in(library, "curl_slist_free_all", out.slist_free_all);
}

}  // namespace

Result<const HttpLibrary*> HttpLibrary::load() {
  static const HttpLibrary* loaded = nullptr;
  if (loaded != nullptr) return loaded;
  void* const library = ::dlopen(kCurlFile, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unusable(std::string("cannot load ") + kCurlFile);
  static HttpLibrary functions;
  decltype(&curl_global_init) global_init = nullptr;
  if (!find_all(library, functions) || !find_in(library, "curl_global_init", global_init))
    return unusable(std::string(kCurlFile) + " is older");
  if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return unusable("its initialisation failed");
  // What libcurl was linked with is found through it.
  (void)find_in(library, "HMAC", functions.hmac);
  (void)find_in(library, "EVP_sha256", functions.sha256);
  loaded = &functions;
  return loaded;
}

std::string HttpLibrary::sign(std::string_view key, std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (hmac(sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), &length) == nullptr) {
    return {};
  }
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    std::array<char, 3> pair{};
    std::snprintf(pair.data(), pair.size(), "%02x", digest[i]);
    hex += pair.data();
  }
  return hex;
}

}  // namespace tide
