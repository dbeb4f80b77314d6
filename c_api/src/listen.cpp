// tide_listen, tide_unlisten.
#include <tidepool/tidepool.h>

#include "callbacks.hpp"
#include "guard.hpp"
#include "handles.hpp"

using namespace tide;

namespace {

int32_t kind_of(ListenEvent::Kind kind) {
  switch (kind) {
    case ListenEvent::Kind::ready: return TIDE_LISTEN_READY;
    case ListenEvent::Kind::notification: return TIDE_LISTEN_NOTIFICATION;
    case ListenEvent::Kind::lost: return TIDE_LISTEN_LOST;
    case ListenEvent::Kind::gap: return TIDE_LISTEN_GAP;
  }
  return 0;
}

}  // namespace

tide_status tide_listen(tide_pool* pool, const char* channel, tide_listen_callback callback, void* context,
                        tide_subscription* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (channel == nullptr) return Status::error(Code::bad_argument, "channel is NULL", "accepted: 1 to 63 bytes");
    if (callback == nullptr) return Status::error(Code::bad_argument, "callback is NULL", "accepted: a function");
    const Door door(pool);
    if (!door) return no_entry(door.code());
    const auto call = [pool, callback, context](SubscriptionId id, const ListenEvent& event) {
      const tide_listen_event told{static_cast<uint32_t>(sizeof(tide_listen_event)),
                                   kind_of(event.kind),
                                   {pool, id},
                                   event.channel.c_str(),
                                   event.text.c_str(),
                                   event.server_pid,
                                   0};
      callback(context, &told);
    };
    const auto subscribed = door.service().listener().subscribe(channel, Listener::Side::program, call);
    if (!subscribed) return subscribed.status();
    if (out != nullptr) *out = {pool, subscribed.value()};
    return Status::ok();
  });
}

tide_status tide_unlisten(tide_subscription subscription, tide_error* err) {
  return guarded(err, [&]() -> Status {
    const Door door(subscription.pool);
    if (!door) return no_entry(door.code());
    return door.service().listener().unsubscribe(subscription.id);
  });
}
