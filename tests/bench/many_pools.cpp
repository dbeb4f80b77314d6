// Many pools with many connections to nothing, for others to look at: `many_pools POOLS CONNECTIONS`, each.
// Says "ready" when all are there; ends at the end of its input.
#include <tidepool/tidepool.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: many_pools POOLS CONNECTIONS\n");
    return 2;
  }
  bench::register_nothing();
  const std::string n = argv[2];
  std::vector<tide_pool*> pools;
  for (int i = 0; i < std::atoi(argv[1]); ++i) {
    tide_error error = TIDE_ERROR_INIT;
    tide_pool* pool = nullptr;
    const std::string options = "init_mode=fail_fast max_connecting=100 min_size=" + n + " max_size=" + n;
    const std::string name = "pool-" + std::to_string(i);
    bench::must(tide_pool_open(name.c_str(), "nothing:", options.c_str(), &pool, &error), error, "open");
    pools.push_back(pool);
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
  tide_close_all(5000, nullptr);
  return 0;
}
