#include "pool/ports.hpp"

namespace tide {
namespace {

Status no_statements() {
  return Status::error(Code::unsupported, "registered drivers do not execute statements through tidepool", "",
                       "use tide_lease_native() and the database's own functions");
}

}  // namespace

Status Connection::query(const QueryRequest&, ResultTable&) { return no_statements(); }
Status Connection::stream(const QueryRequest&, RowSink&, ResultTable&) { return no_statements(); }
Status Connection::open_rows(const QueryRequest&, ResultTable&) { return no_statements(); }
Status Connection::fetch_rows(ResultTable&, Instant) { return no_statements(); }
Status Connection::batch(std::span<const QueryRequest>, Instant, std::vector<ResultTable>&, size_t&) {
  return no_statements();
}

}  // namespace tide
