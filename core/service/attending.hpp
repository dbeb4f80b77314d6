// Attending: what the service does in the steps of the keeper.
//
// Threads: the keeper. Failure: none.
#pragma once

#include "pool/ports.hpp"
#include "service/cache/query_cache.hpp"
#include "service/listener.hpp"

namespace tide {

class Attending final : public Attendant {
 public:
  Attending(QueryCache& cache, Listener& listener) : cache_(cache), listener_(listener) {}
  Instant step(Instant) override { return Instant::never(); }
  uint64_t clear_cache(std::string_view key, std::string_view tag) override { return cache_.clear(key, tag); }
  void shed_memory() override { cache_.shed_memory(); }
  void set_policy(const Policy& policy) override {
    cache_.set_policy(policy);
    listener_.set_policy(policy);
  }

 private:
  QueryCache& cache_;
  Listener& listener_;
};

}  // namespace tide
