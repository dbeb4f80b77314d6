// libpqxx has no pool: each thread keeps a connection, with prepared statements.
#include <pqxx/pqxx>

#include "client.hpp"

namespace {

struct Held {
  Held() {
    connection.prepare("one", bench::kOne);
    connection.prepare("thousand", bench::kThousand);
  }
  pqxx::connection connection{bench::target()};
};

}  // namespace

int main(int argc, char** argv) {
  const auto call = [](const char* name) {
    thread_local Held held;
    pqxx::nontransaction work(held.connection);
    return work.exec_prepared(name);
  };
  return bench::run_client(
      argc, argv, [&] { call("one"); },
      [&] {
        long long sum = 0;
        for (const auto& row : call("thousand")) {
          sum += row[0].as<long long>() + row[2].as<int>() + static_cast<long long>(row[1].size());
        }
        if (sum == 0) std::abort();
      });
}
