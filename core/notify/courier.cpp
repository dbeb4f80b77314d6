#include "notify/courier.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <new>

namespace tide {
namespace {

constexpr Span kLookEvery = Span::seconds(1);
constexpr curl_off_t kRetryAfterSecondsMax = 1000000;  // longer ones mean the same

bool is_redirect(long status) { return status >= 300 && status < 400; }

}  // namespace

// The handles of one delivery.
class Courier::Transfer {
 public:
  explicit Transfer(Courier& courier)
      : courier_(courier), curl_(courier.library_), easy_(curl_.easy_init()), multi_(curl_.multi_init()) {}
  ~Transfer() {
    if (is_added_) curl_.multi_remove_handle(multi_, easy_);
    if (easy_ != nullptr) curl_.easy_cleanup(easy_);
    if (multi_ != nullptr) curl_.multi_cleanup(multi_);
    curl_.slist_free_all(headers_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The letter must stay.
  void prepare(const Letter& letter) {
    if (easy_ == nullptr || multi_ == nullptr) throw std::bad_alloc();
    for (const std::string& header : letter.headers) add_header(header);
    add_header("Expect:");  // not sent: the body is small
    set_up(letter);
  }
  // False: it was given up.
  bool run(const Clock& clock, const Bell& wake, const std::function<Instant()>& give_up) {
    is_added_ = curl_.multi_add_handle(multi_, easy_) == CURLM_OK;
    for (int running = 1; is_added_;) {
      if (curl_.multi_perform(multi_, &running) != CURLM_OK || running == 0) break;
      const Span left = give_up() - clock.now();
      if (left <= Span{}) return false;
      curl_waitfd waker{wake.fd(), CURL_WAIT_POLLIN, 0};
      curl_.multi_poll(multi_, &waker, 1, static_cast<int>(std::min(left, kLookEvery).ms_up()), nullptr);
      wake.clear();
    }
    return true;
  }

  DeliveryResult result(std::string& error) const {
    CURLcode code = CURLE_FAILED_INIT;
    int left = 0;
    while (const CURLMsg* const message = curl_.multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    }
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    curl_.easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after_s);
    const bool is_cut_by_us = code == CURLE_WRITE_ERROR && answer_bytes_ > kAnswerBytesMax;
    if (code != CURLE_OK && !is_cut_by_us) {
      error = curl_.easy_strerror(code);  // a constant text
      return {};
    }
    DeliveryResult result;
    result.status = static_cast<int>(status);
    result.retry_after = Span::seconds(std::clamp<curl_off_t>(retry_after_s, 0, kRetryAfterSecondsMax));
    if (result.is_delivered()) return result;
    error = "HTTP status " + std::to_string(status);
    if (is_redirect(status)) error += " (redirects are not followed)";
    return result;
  }

 private:
  void add_header(const std::string& header) {
    curl_slist* const longer = curl_.slist_append(headers_, header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers_ = longer;
  }
  // Options that an older libcurl does not know are not needed there.
  template <typename Value>
  void set(CURLoption option, Value value) {
    (void)curl_.easy_setopt(easy_, option, value);
  }
  void set_up(const Letter& letter) {
    const long timeout_ms = static_cast<long>(courier_.timeout_.ms_up());
    set(CURLOPT_URL, courier_.url_.c_str());
    set(CURLOPT_HTTPHEADER, headers_);
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(letter.body.size()));
    set(CURLOPT_POSTFIELDS, letter.body.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_TIMEOUT_MS, timeout_ms);
    set(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    set(CURLOPT_WRITEFUNCTION, on_answer);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_OPENSOCKETFUNCTION, on_open);
    set(CURLOPT_OPENSOCKETDATA, &courier_);
    set(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    set(CURLOPT_CLOSESOCKETDATA, &courier_);
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    set(CURLOPT_QUICK_EXIT, 1L);  // ending does not wait for a name server
#endif
  }

  static size_t on_answer(char*, size_t size, size_t count, void* self) {
    size_t& bytes = static_cast<Transfer*>(self)->answer_bytes_;
    bytes += size * count;
    return bytes > kAnswerBytesMax ? 0 : size * count;
  }
  static curl_socket_t on_open(void* self, curlsocktype, curl_sockaddr* address) {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    for (std::atomic<int>& place : static_cast<Courier*>(self)->sockets_) {
      int none = -1;
      if (fd >= 0 && place.compare_exchange_strong(none, fd)) break;
    }
    return fd;
  }
  static int on_close(void* self, curl_socket_t fd) {
    for (std::atomic<int>& place : static_cast<Courier*>(self)->sockets_) {
      int known = fd;
      if (place.compare_exchange_strong(known, -1)) break;
    }
    return ::close(fd);
  }

  Courier& courier_;
  const HttpLibrary& curl_;
  CURL* const easy_;
  CURLM* const multi_;
  curl_slist* headers_ = nullptr;
  size_t answer_bytes_ = 0;
  bool is_added_ = false;
};

Courier::Courier(const HttpLibrary& library, std::string url, Span timeout)
    : library_(library), url_(std::move(url)), timeout_(timeout) {
  for (std::atomic<int>& place : sockets_) place.store(-1);
}

DeliveryResult Courier::post(const Letter& letter, const Clock& clock, const Bell& wake,
                             const std::function<Instant()>& give_up, std::string& error) {
  Transfer transfer(*this);
  transfer.prepare(letter);
  if (transfer.run(clock, wake, give_up)) return transfer.result(error);
  error = "the pool was closed before there was an answer";
  return {};
}

void Courier::close_in_child() noexcept {
  for (std::atomic<int>& place : sockets_) {
    if (const int fd = place.exchange(-1); fd >= 0) ::close(fd);
  }
}

}  // namespace tide
