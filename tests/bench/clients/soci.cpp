// SOCI's connection_pool, with statements that are prepared by each call: it keeps none.
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "client.hpp"

int main(int argc, char** argv) {
  soci::connection_pool pool(8);
  for (size_t i = 0; i < 8; ++i) pool.at(i).open(soci::postgresql, bench::target());
  return bench::run_client(
      argc, argv,
      [&] {
        soci::session session(pool);
        int one = 0;
        session << bench::kOne, soci::into(one);
      },
      [&] {
        soci::session session(pool);
        const soci::rowset<soci::row> rows = (session.prepare << bench::kThousand);
        long long sum = 0;
        for (const soci::row& row : rows) {
          sum += row.get<long long>(0) + row.get<int>(2) + static_cast<long long>(row.get<std::string>(1).size());
        }
        if (sum == 0) std::abort();
      });
}
