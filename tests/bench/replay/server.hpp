// The database and the pool of a replay, as numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace replay {

// For a while queries get heavier, or hinder each other more.
struct Incident {
  double from_s = 0, to_s = 0;  // none: both 0
  double contention = 1;
  double work = 1;
};

// The database follows the Universal Scalability Law: n requests at once each take 1 + alpha (n-1) + beta n (n-1) times
// as long as alone. Throughput is highest at n = sqrt((1 - alpha) / beta), the knee. The factor is that of the moment
// at which a request begins.
struct Server {
  int64_t min_size = 2;
  int64_t max_size = 64;
  double alpha = 0.005;
  double knee = 48;
  double connect_s = 0.030;
  int64_t max_connecting = 4;
  double acquire_timeout_s = 1;
  double objective_s = 0.010;
  Incident incident;

  double slowdown(int64_t in_use, bool is_incident) const {
    const double n = static_cast<double>(in_use);
    const double beta = (1 - alpha) / (knee * knee);
    const double hindrance = (alpha + beta * n) * (n - 1) * (is_incident ? incident.contention : 1);
    return (1 + hindrance) * (is_incident ? incident.work : 1);
  }
};

// std; slowconn: opening takes 500 ms, two at once; brownout: contention times 6 during 45 to 55 % of the time;
// heavy, heavy3: queries 2 or 3 times as heavy in the same time, without contention.
inline std::optional<Server> scenario(std::string_view name, double length_s) {
  Server server;
  if (name == "std") return server;
  if (name == "slowconn") {
    server.connect_s = 0.5;
    server.max_connecting = 2;
    return server;
  }
  server.incident = {length_s * 0.45, length_s * 0.55, 1, 1};
  if (name == "brownout")
    server.incident.contention = 6;
  else if (name == "heavy")
    server.incident.work = 2;
  else if (name == "heavy3")
    server.incident.work = 3;
  else
    return std::nullopt;
  return server;
}

}  // namespace replay
