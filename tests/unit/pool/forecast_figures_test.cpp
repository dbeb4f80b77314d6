// The sizer's own figures for known loads: a constant load is forecast exactly, and slow_share is the known share of
// callers that wait.
#include <cmath>

#include "unit/pool/lived_pool.hpp"

namespace tide {
namespace {

class ForecastFigures : public test::LivedPool {
 protected:
  format::ForecastsBlock told() { return *Attachment::from_fd(pool_->segment().fd())->read_forecasts(); }
  format::HistoryRecord last_second() { return Attachment::from_fd(pool_->segment().fd())->read_history(1000).back(); }
};

TEST_F(ForecastFigures, SteadyLoadIsForecastExactly) {
  open("min_size=1 max_size=10 health_interval=0");
  for (int i = 0; i < 300; ++i) second(3, Span::seconds(1));
  const format::ForecastsBlock told = this->told();
  EXPECT_NEAR(told.prediction_accuracy, 1, 0.01);
  EXPECT_NEAR(last_second().predicted_in_use, 3, 0.05);
  EXPECT_NEAR(told.demand, 3, 0.05);
  EXPECT_EQ(told.slow_share, 0);
}

TEST_F(ForecastFigures, ChangingLoadIsForecastLessAccurately) {
  open("min_size=1 max_size=20 health_interval=0");
  Rng dice(3);
  for (int i = 0; i < 300; ++i) second(1 + static_cast<int>(dice.below(12)), Span::seconds(1));
  const format::ForecastsBlock told = this->told();
  EXPECT_LT(told.prediction_accuracy, 0.9);
}

TEST_F(ForecastFigures, HalfOfTheCallersWait) {
  open("min_size=2 max_size=2 burst=off health_interval=0");
  for (int i = 0; i < 60; ++i) {
    for (int n = 0; n < 4; ++n) ask(Span::seconds(5));
    for (int n = 0; n < 2; ++n) {
      run(Span::millis(500));
      give_back();
    }
  }
  const format::ForecastsBlock told = this->told();
  EXPECT_NEAR(told.slow_share, 0.5, 0.02);
  EXPECT_EQ(read(pool_->segment().tallies().overloads_total), 0U);
}

}  // namespace
}  // namespace tide
