// URLs of receivers over HTTP: their check, and the part that may be shown.
//
// Threads: any. Failure: none.
#pragma once

#include <string>
#include <string_view>

namespace tide {

// Why the text is not the URL of an HTTP server ("has no scheme"); "" if it is one. The reason contains nothing of the text
// but its scheme, because path and query may contain keys.
std::string why_not_http_url(std::string_view text);

// "https://host:port" of a URL that is one; "" otherwise. User, path, query and fragment are left out.
std::string origin_of(std::string_view url);

}  // namespace tide
