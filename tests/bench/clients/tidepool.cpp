#include <tidepool/tidepool.h>

#include "client.hpp"

int main(int argc, char** argv) {
  tide_error error = TIDE_ERROR_INIT;
  tide_pool* pool = nullptr;
  const auto stop = [&] {
    std::fprintf(stderr, "%s\n", error.message);
    std::exit(1);
  };
  if (tide_pool_open("client", bench::target(), "min_size=8 max_size=8 max_connecting=8 init_mode=fail_fast log=off",
                     &pool, &error) != TIDE_OK) {
    stop();
  }
  const auto call = [&](const char* sql) {
    tide_result* result = nullptr;
    tide_error failure = TIDE_ERROR_INIT;
    if (tide_pool_query_with(pool, sql, 0, nullptr, nullptr, &result, &failure) != TIDE_OK) {
      std::fprintf(stderr, "%s\n", failure.message);
      std::exit(1);
    }
    return result;
  };
  const int code = bench::run_client(
      argc, argv, [&] { tide_result_free(call(bench::kOne)); },
      [&] {
        tide_result* result = call(bench::kThousand);
        int64_t sum = 0;
        for (int64_t row = 0; row < tide_result_rows(result); ++row) {
          sum += tide_result_value(result, row, 0).integer + tide_result_value(result, row, 2).integer;
          sum += static_cast<int64_t>(tide_result_value(result, row, 1).length);
        }
        if (sum == 0) std::abort();
        tide_result_free(result);
      });
  tide_pool_close(pool, 1000, nullptr);
  return code;
}
