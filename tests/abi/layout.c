/*
 * Sizes, offsets and numbers that compiled programs depend on. Prints them; with a file name as argument, compares them
 * with that golden table and reports differences. They are append-only: see c_api/README.md.
 */
#include <stdio.h>
#include <string.h>

#include <tidepool/tidepool.h>

struct fact {
  const char* name;
  long value;
};
#define SIZE(type) \
  { "sizeof " #type, (long)sizeof(type) }
#define PLACE(type, member) \
  { "offsetof " #type "." #member, (long)offsetof(type, member) }
#define NUMBER(name) \
  { #name, (long)(name) }

static const struct fact facts[] = {
    SIZE(tide_status),
    SIZE(tide_error),
    PLACE(tide_error, size),
    PLACE(tide_error, status),
    PLACE(tide_error, native_code),
    PLACE(tide_error, retryable),
    PLACE(tide_error, sqlstate),
    PLACE(tide_error, message),
    PLACE(tide_error, detail),
    PLACE(tide_error, hint),
    SIZE(tide_lease),
    PLACE(tide_lease, pool),
    PLACE(tide_lease, id),
    SIZE(tide_event),
    PLACE(tide_event, size),
    PLACE(tide_event, kind),
    PLACE(tide_event, conn_id),
    PLACE(tide_event, lease_id),
    PLACE(tide_event, pool),
    PLACE(tide_event, text),
    SIZE(tide_pool_options),
    PLACE(tide_pool_options, size),
    PLACE(tide_pool_options, event_mask),
    PLACE(tide_pool_options, on_event),
    PLACE(tide_pool_options, event_context),
    PLACE(tide_pool_options, foreign_loop),
    PLACE(tide_pool_options, is_hosted),
    PLACE(tide_pool_options, app),
    PLACE(tide_pool_options, on_credential),
    PLACE(tide_pool_options, credential_context),
    SIZE(tide_health),
    PLACE(tide_health, size),
    PLACE(tide_health, healthy),
    PLACE(tide_health, status),
    PLACE(tide_health, issues),
    PLACE(tide_health, recommendations),
    PLACE(tide_health, checks),
    SIZE(tide_acquire_options),
    PLACE(tide_acquire_options, size),
    PLACE(tide_acquire_options, mode),
    PLACE(tide_acquire_options, timeout_ms),
    PLACE(tide_acquire_options, tag),
    PLACE(tide_acquire_options, callback),
    PLACE(tide_acquire_options, context),
    SIZE(tide_lease_stats),
    PLACE(tide_lease_stats, size),
    PLACE(tide_lease_stats, mode),
    PLACE(tide_lease_stats, lease_id),
    PLACE(tide_lease_stats, conn_id),
    PLACE(tide_lease_stats, age_ms),
    PLACE(tide_lease_stats, idle_ms),
    PLACE(tide_lease_stats, uses_total),
    SIZE(tide_column),
    PLACE(tide_column, name),
    PLACE(tide_column, type),
    PLACE(tide_column, is_writable),
    PLACE(tide_column, unit),
    PLACE(tide_column, meaning),
    PLACE(tide_column, sql_type),
    PLACE(tide_column, key),
    PLACE(tide_column, is_masked),
    SIZE(tide_relation),
    PLACE(tide_relation, name),
    PLACE(tide_relation, meaning),
    PLACE(tide_relation, ncolumns),
    PLACE(tide_relation, columns),
    SIZE(tide_filter),
    PLACE(tide_filter, size),
    PLACE(tide_filter, directory),
    PLACE(tide_filter, pool),
    PLACE(tide_filter, instance_id),
    SIZE(tide_control_options),
    PLACE(tide_control_options, size),
    PLACE(tide_control_options, directory),
    PLACE(tide_control_options, actor),
    SIZE(tide_driver),
    PLACE(tide_driver, size),
    PLACE(tide_driver, context),
    PLACE(tide_driver, open),
    PLACE(tide_driver, validate),
    PLACE(tide_driver, reset),
    PLACE(tide_driver, close),
    PLACE(tide_driver, cancel),
    NUMBER(TIDE_OK),
    NUMBER(TIDE_TIMEOUT),
    NUMBER(TIDE_CLOSED),
    NUMBER(TIDE_QUEUE_FULL),
    NUMBER(TIDE_UNAVAILABLE),
    NUMBER(TIDE_BAD_ARGUMENT),
    NUMBER(TIDE_BAD_OPTION),
    NUMBER(TIDE_STALE_LEASE),
    NUMBER(TIDE_DATABASE),
    NUMBER(TIDE_NOT_FOUND),
    NUMBER(TIDE_REFUSED),
    NUMBER(TIDE_FORKED),
    NUMBER(TIDE_NO_MEMORY),
    NUMBER(TIDE_UNSUPPORTED),
    NUMBER(TIDE_INTERNAL),
    NUMBER(TIDE_EVENT_CONNECT),
    NUMBER(TIDE_EVENT_ACQUIRE),
    NUMBER(TIDE_EVENT_RELEASE),
    NUMBER(TIDE_EVENT_REMOVE),
    NUMBER(TIDE_EVENT_ERROR),
    NUMBER(TIDE_EVENT_ALERT),
    NUMBER(TIDE_READ_WRITE),
    NUMBER(TIDE_READ),
    NUMBER(TIDE_INT),
    NUMBER(TIDE_DOUBLE),
    NUMBER(TIDE_TEXT),
    NUMBER(TIDE_BOOL),
    NUMBER(TIDE_TIME),
    NUMBER(TIDE_JSON),
    PLACE(tide_driver, flags),
    NUMBER(TIDE_DRIVER_CONCURRENT),
    SIZE(tide_argument),
    PLACE(tide_argument, name),
    PLACE(tide_argument, type),
    PLACE(tide_argument, is_required),
    PLACE(tide_argument, is_nullable),
    PLACE(tide_argument, meaning),
    PLACE(tide_argument, sql_type),
    SIZE(tide_verb),
    PLACE(tide_verb, name),
    PLACE(tide_verb, sent_to),
    PLACE(tide_verb, wait_ms),
    PLACE(tide_verb, meaning),
    PLACE(tide_verb, narguments),
    PLACE(tide_verb, arguments),
    SIZE(tide_value),
    PLACE(tide_value, type),
    PLACE(tide_value, integer),
    PLACE(tide_value, real),
    PLACE(tide_value, text),
    NUMBER(TIDE_DURATION),
    NUMBER(TIDE_ANY),
    NUMBER(TIDE_VALUE_NULL),
    NUMBER(TIDE_VALUE_NONE),
    NUMBER(TIDE_TO_ALERT),
    PLACE(tide_control_options, via),
    PLACE(tide_control_options, is_interrupted),
    PLACE(tide_control_options, context),
    PLACE(tide_verb, pool_place),
    NUMBER(TIDE_VALUES_MAX),
    SIZE(tide_command),
    PLACE(tide_command, size),
    PLACE(tide_command, nvalues),
    PLACE(tide_command, pool),
    PLACE(tide_command, verb),
    PLACE(tide_command, directory),
    PLACE(tide_command, actor),
    PLACE(tide_command, values),
    PLACE(tide_command, state),
    PLACE(tide_command, pools),
    PLACE(tide_command, command_id),
    NUMBER(TIDE_COMMAND_NOT_GIVEN),
    NUMBER(TIDE_COMMAND_GIVEN),
    NUMBER(TIDE_COMMAND_APPLIED),
    NUMBER(TIDE_COMMAND_REFUSED),
    NUMBER(TIDE_COMMAND_REPLACED),
    NUMBER(TIDE_BATCH_CHECK),
    NUMBER(TIDE_BATCH_GIVE),
    NUMBER(TIDE_BATCH_POST),
    PLACE(tide_error, position),
    PLACE(tide_error, schema_name),
    PLACE(tide_error, table_name),
    PLACE(tide_error, column_name),
    PLACE(tide_error, constraint_name),
    PLACE(tide_value, length),
    NUMBER(TIDE_ROLLED_BACK),
    NUMBER(TIDE_UNKNOWN_OUTCOME),
    NUMBER(TIDE_BYTES),
    SIZE(tide_query_options),
    PLACE(tide_query_options, size),
    PLACE(tide_query_options, mode),
    PLACE(tide_query_options, timeout_ms),
    PLACE(tide_query_options, tag),
    PLACE(tide_query_options, retry_attempts),
    PLACE(tide_query_options, placeholders),
    PLACE(tide_query_options, names),
    PLACE(tide_query_options, max_rows),
    PLACE(tide_query_options, max_bytes),
    PLACE(tide_query_options, callback),
    PLACE(tide_query_options, context),
    SIZE(tide_statement),
    PLACE(tide_statement, sql),
    PLACE(tide_statement, params),
    PLACE(tide_statement, nparams),
    PLACE(tide_statement, reserved),
    SIZE(tide_column_type),
    PLACE(tide_column_type, size),
    PLACE(tide_column_type, oid),
    PLACE(tide_column_type, modifier),
    PLACE(tide_column_type, reserved),
    PLACE(tide_column_type, declared),
    SIZE(tide_tx),
    PLACE(tide_tx, pool),
    PLACE(tide_tx, id),
    SIZE(tide_tx_options),
    PLACE(tide_tx_options, size),
    PLACE(tide_tx_options, isolation),
    PLACE(tide_tx_options, read_only),
    PLACE(tide_tx_options, deferrable),
    PLACE(tide_tx_options, timeout_ms),
    PLACE(tide_tx_options, tag),
    PLACE(tide_tx_options, retry_attempts),
    PLACE(tide_tx_options, reserved),
    NUMBER(TIDE_PLACEHOLDERS_NUMBERED),
    NUMBER(TIDE_PLACEHOLDERS_NAMED),
    NUMBER(TIDE_PLACEHOLDERS_NATIVE),
    NUMBER(TIDE_ISOLATION_DEFAULT),
    NUMBER(TIDE_READ_COMMITTED),
    NUMBER(TIDE_REPEATABLE_READ),
    NUMBER(TIDE_SERIALIZABLE),
};
enum { FACTS = sizeof facts / sizeof facts[0] };

static int compare(const char* path) {
  char line[256], expected[256];
  size_t i = 0;
  int moved = 0;
  FILE* golden = fopen(path, "r");
  if (golden == NULL) {
    perror(path);
    return 1;
  }
  for (i = 0; fgets(line, sizeof line, golden) != NULL; i++) {
    line[strcspn(line, "\n")] = '\0';
    if (i < FACTS) snprintf(expected, sizeof expected, "%s = %ld", facts[i].name, facts[i].value);
    if (i >= FACTS || strcmp(line, expected) != 0) {
      moved++;
      printf("golden: %s\nnow:    %s\n", line, i < FACTS ? expected : "(nothing)");
    }
  }
  fclose(golden);
  if (i < FACTS) {
    moved++;
    printf("not in the golden table yet: %s\n", facts[i].name);
  }
  if (moved == 0) puts("ok");
  return moved == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  size_t i;
  if (argc > 1) return compare(argv[1]);
  for (i = 0; i < FACTS; i++) printf("%s = %ld\n", facts[i].name, facts[i].value);
  return 0;
}
