// The relation "wal": the write-ahead log of a pool's SQLite file, its checkpoints, and who keeps it from being reset.
#include "policy/settings.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/rings.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kWalColumns[] = {
    {"wal_bytes", integer, "bytes", "Size of the file of the write-ahead log.", open},
    {"limit_bytes", integer, "bytes",
     "Size above which the pool truncates it (sqlite_wal_limit); null if there is no limit.", open},
    {"frames", integer, "pages", "Pages in the log at the last commit of this pool.", open},
    {"frames_checkpointed", integer, "pages", "Of these, pages that the last checkpoint left in the database file.",
     open},
    {"last_checkpoint", text, "", "Kind of the last checkpoint: passive or truncate; null if there was none.", open},
    {"last_checkpoint_at", time, "", "When it was made.", open},
    {"blocked_ms", real, "ms",
     "How long readers have kept the log from being copied or truncated; null if they do not.", open},
    {"oldest_reader_ms", real, "ms", "Age of the oldest snapshot that a lease of this pool reads; null if none reads.",
     open},
    {"oldest_reader_tag", text, "", "The tag of that lease.", masked},
    {"oldest_reader_lease_id", integer, "", "That lease.", open},
    {"oldest_reader_conn_id", integer, "", "Its connection.", open},
    {"last_error", text, "", "Why the last checkpoint failed; null if it did not.", masked},
};

Value limit_of(const Attachment& segment) {
  const auto block = segment.read_settings();
  if (!block) return cell::none();
  Policy policy;
  for (const format::SettingRecord& record : records_of(*block)) {
    const Setting* const known = record.is_note == 1 ? nullptr : find_setting(record.name.view());
    if (known == nullptr || known->name != "sqlite_wal_limit") continue;
    if (!assign_value(policy, *known, record.value.view())) return cell::none();
  }
  return policy.sqlite_wal_limit == 0 ? cell::none() : cell::integer(policy.sqlite_wal_limit);
}

void add_wal(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const auto vitals = segment.read_vitals();
  if (!vitals || vitals->wal_bytes < 0) return;
  const auto wal = segment.read_wal();
  const cell::Moments moments(vitals, wall_now_ns);
  Row row{cell::integer(vitals->wal_bytes), limit_of(segment)};
  if (wal) {
    const std::string_view kind = word_of<CheckpointKind>(static_cast<uint32_t>(tide::read(wal->last_kind)));
    const bool is_read = moments.is_known(cell::signed_of(wal->reader_mono));
    row.insert(row.end(), {
                              cell::count(tide::read(wal->frames)),
                              cell::count(tide::read(wal->frames_done)),
                              kind == "none" ? cell::none() : cell::text(kind),
                              cell::time(cell::signed_of(wal->last_wall_ns)),
                              moments.ms_since(cell::signed_of(wal->blocked_mono)),
                              moments.ms_since(cell::signed_of(wal->reader_mono)),
                              cell::text_or_null(wal->reader_tag),
                              is_read ? cell::id(tide::read(wal->reader_lease)) : cell::none(),
                              is_read ? cell::id(tide::read(wal->reader_conn_id)) : cell::none(),
                              cell::text_or_null(wal->last_error),
                          });
  }
  row.resize(std::size(kWalColumns));
  out.push_back(std::move(row));
}

}  // namespace

const Source& wal_source() {
  static constexpr Source kSource{
      {"wal", "One row for each pool of an SQLite file in WAL mode: its write-ahead log.", kWalColumns}, add_wal};
  return kSource;
}

}  // namespace tide
