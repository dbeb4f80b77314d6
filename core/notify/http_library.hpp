// HttpLibrary: the functions of libcurl, and of the libcrypto that it uses.
//
// It is loaded when the first pool with a webhook is opened: it brings some 25 libraries with it, which other programs
// should not have to load. It is never unloaded.
// Threads: load() one at a time, while no process is forked; the rest any.
// Failure: an error that names the package which is missing.
#pragma once

#include <curl/curl.h>
#include <openssl/hmac.h>

#include <string>
#include <string_view>

#include "base/status.hpp"

namespace tide {

struct HttpLibrary {
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_setopt) easy_setopt = nullptr;
  decltype(&curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&curl_easy_strerror) easy_strerror = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_multi_init) multi_init = nullptr;
  decltype(&curl_multi_add_handle) multi_add_handle = nullptr;
  decltype(&curl_multi_remove_handle) multi_remove_handle = nullptr;
  decltype(&curl_multi_perform) multi_perform = nullptr;
  decltype(&curl_multi_poll) multi_poll = nullptr;
  decltype(&curl_multi_info_read) multi_info_read = nullptr;
  decltype(&curl_multi_cleanup) multi_cleanup = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
  // Of OpenSSL; nullptr if libcurl uses another library.
  decltype(&HMAC) hmac = nullptr;
  decltype(&EVP_sha256) sha256 = nullptr;

  bool can_sign() const { return hmac != nullptr && sha256 != nullptr; }
  // HMAC-SHA256 in hexadecimal. Only if can_sign().
  std::string sign(std::string_view key, std::string_view text) const;

  static Result<const HttpLibrary*> load();
};

}  // namespace tide
