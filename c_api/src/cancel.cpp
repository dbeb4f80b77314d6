// tide_cancel_token_*: the tokens of the ABI are those of the core.
#include <tidepool/tidepool.h>

#include "cancel.hpp"
#include "guard.hpp"

using namespace tide;

tide_status tide_cancel_token_new(tide_cancel_token** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) {
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_cancel_token *");
    }
    *out = reinterpret_cast<tide_cancel_token*>(CancelToken::make());
    return Status::ok();
  });
}

void tide_cancel_token_trip(tide_cancel_token* token) {
  if (token != nullptr) token_of(token)->trip();
}

int tide_cancel_token_is_tripped(const tide_cancel_token* token) {
  return token != nullptr && token_of(const_cast<tide_cancel_token*>(token))->is_tripped() ? 1 : 0;
}

void tide_cancel_token_free(tide_cancel_token* token) {
  if (token != nullptr) token_of(token)->free();
}
