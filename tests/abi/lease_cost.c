/* Acquires and releases a lease the given number of times; lease_cost.py counts the instructions. */
#include <stdio.h>
#include <stdlib.h>

#include <tidepool/tidepool.h>

int main(int argc, char** argv) {
  const long cycles = argc > 1 ? atol(argv[1]) : 0;
  tide_error err = TIDE_ERROR_INIT;
  tide_pool* pool;
  long i;
  if (tide_pool_open("cost", "sqlite::memory:", "max_size=10", &pool, &err) != TIDE_OK) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  for (i = 0; i < cycles; i++) {
    tide_lease lease;
    if (tide_pool_acquire(pool, "checkout", 1000, &lease, &err) != TIDE_OK ||
        tide_lease_release(lease, &err) != TIDE_OK) {
      fprintf(stderr, "%s\n", err.message);
      return 1;
    }
  }
  return 0;
}
