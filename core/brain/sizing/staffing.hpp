// Staffing: how many connections a load in erlangs needs, and the learnt margin (kappa).
//
//   need(a) = a + (0.7 + 5.2 kappa) sqrt(max(a, 1/4)) + 1/2
//             square-root staffing (Feldman, Mandelbaum, Massey, Whitt 2008): load plus a margin that grows with its
//             root. The 1/4 is for rare requests; it decays once there are no arrivals for many minutes.
//   kappa  += 0.12 (slow - aim * arrivals) / max(5, mean arrivals a tick, arrivals / 4), within 0 .. 1.5, from 0.5
//             an integral controller of the share of requests that wait longer than the objective. In the long run the
//             share is met for any arrivals (the argument of adaptive conformal inference, Gibbs and Candes 2021), so
//             no distribution has to be assumed.
//   aim     = share * (1 - 1.5 (recent / share - 1)), within 0.55 .. 1.5 of the share
//             recent: the share of about the last half hour. An excess is compensated afterwards: a tick with many
//             arrivals is divided by more, so a sudden load would otherwise count less than its slow requests.
//
// kappa determines three things: the margin, how soon queued callers cause connections to be opened (tolerance_s), and
// how long capacity is kept (window_s = 2 * 2.6^kappa, at most 300 s).
// Anti-windup: is_limited means that no more connections are available; then kappa can only decrease.
// Threads: the keeper only.
#pragma once

#include "brain/sizing/observation.hpp"

namespace tide::brain {

class Staffing {
 public:
  static constexpr double kKappaMax = 1.5;
  static constexpr double kWindowMax_s = 300;

  void learn(const Observation& seen, double share, bool is_limited);

  double need(double erlangs, double kappa) const;
  double window_s(double kappa) const;
  // How long a queue may take to drain before it opens connections: max(objective, time to open) (1.15 - 0.8 kappa).
  double tolerance_s(double objective_s, double connect_s, double kappa) const;
  double kappa() const { return kappa_; }

 private:
  double aim(const Observation& seen, double share);

  double kappa_ = 0.5;
  double arrivals_per_s_ = -1;  // slow mean; negative: unknown
  double slow_ = 0;             // decayed sums
  double arrivals_ = 0;         // 0: no arrivals yet
};

}  // namespace tide::brain
