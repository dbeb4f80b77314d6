/*
 * Traces: can a statement leave state in the remote session that a later one could see?
 *
 * Decided by its parse tree: a text leaves no traces if it consists of read-only SELECTs (or VALUES) that call only
 * functions known to have no side effects. Everything else, including texts that this server's parser does not
 * understand, is assumed to leave traces, and the session is reset before the next statement. Functions called by a
 * view or an operator of the remote database are not detected. This affects only the next statement of the same
 * session, because there is always a full reset between two backends; `reset_on_release 'full'` on the server requests
 * one after every statement. After statements whose effects no reset can undo (LOAD, setseed(), dblink_connect() ...),
 * the connection is closed.
 *
 * The results for the last texts are cached, because applications repeat the same statements.
 */
#include "query.h"

#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <parser/parser.h>

#define REMEMBERED 16
#define REMEMBERED_BYTES 1024

typedef struct Verdict {
  uint32 length;
  Traces traces;
  char text[REMEMBERED_BYTES];
} Verdict;

static Verdict* verdicts[REMEMBERED];
static uint32 next_verdict = 0;

/* Sorted, for bsearch(). Aggregates, window functions, texts, numbers, times, arrays, JSON: no state, no settings, no
 * locks. */
/* clang-format off */
static const char* const kHarmless[] = {
    "abs", "age", "array_agg", "array_length", "array_to_string", "avg", "bool_and", "bool_or", "btrim", "cardinality",
    "ceil", "ceiling", "char_length", "concat", "concat_ws", "count", "date_part", "date_trunc", "dense_rank", "every",
    "exp", "extract", "first_value", "floor", "format", "generate_series", "json_agg", "json_build_object",
    "jsonb_agg", "jsonb_build_object", "lag", "last_value", "lead", "left", "length", "ln", "lower", "lpad", "ltrim",
    "make_date", "max", "md5", "min", "mod", "now", "octet_length", "pg_backend_pid", "pg_sleep", "position", "power",
    "rank", "regexp_replace", "repeat", "replace", "reverse", "right", "round", "row_number", "row_to_json", "rpad",
    "rtrim", "split_part", "sqrt", "string_agg", "strpos", "substr", "substring", "sum", "to_char", "to_json",
    "to_jsonb", "translate", "trim", "trunc", "unnest", "upper", "version", "width_bucket"};
/* clang-format on */

static int compare_names(const void* a, const void* b) {
  return strcmp(*(const char* const*)a, *(const char* const*)b);
}

static bool is_harmless_call(const FuncCall* call) {
  const char* name = strVal(llast(call->funcname));
  if (list_length(call->funcname) > 2) return false;
  if (list_length(call->funcname) == 2 && strcmp(strVal(linitial(call->funcname)), "pg_catalog") != 0) return false;
  return bsearch(&name, kHarmless, lengthof(kHarmless), sizeof kHarmless[0], compare_names) != NULL;
}

static bool is_lasting_call(const FuncCall* call) {
  const char* name = strVal(llast(call->funcname));
  return strcmp(name, "setseed") == 0 || strncmp(name, "dblink_connect", strlen("dblink_connect")) == 0 ||
         strcmp(name, "pg_replication_origin_session_setup") == 0 || strcmp(name, "pg_backup_start") == 0 ||
         strcmp(name, "pg_start_backup") == 0;
}

static bool find_lasting(Node* node, void* context) {
  if (node == NULL) return false;
  if (IsA(node, FuncCall) && is_lasting_call((FuncCall*)node)) return true;
  return raw_expression_tree_walker(node, find_lasting, context);
}

static bool find_trace(Node* node, void* context) {
  if (node == NULL) return false;
  if (IsA(node, FuncCall) && !is_harmless_call((FuncCall*)node)) return true;
  if (IsA(node, SelectStmt) && ((SelectStmt*)node)->intoClause != NULL) return true;
  if (IsA(node, InsertStmt) || IsA(node, UpdateStmt) || IsA(node, DeleteStmt)) return true;
  return raw_expression_tree_walker(node, find_trace, context);
}

static Traces traces_of_statement(Node* statement) {
  const bool is_change = IsA(statement, InsertStmt) || IsA(statement, UpdateStmt) || IsA(statement, DeleteStmt);
  if (IsA(statement, LoadStmt)) return TRACES_LASTING;
  if (!is_change && !IsA(statement, SelectStmt)) return TRACES_RESETTABLE;
  if (find_lasting(statement, NULL)) return TRACES_LASTING;
  return is_change || find_trace(statement, NULL) ? TRACES_RESETTABLE : TRACES_NONE;
}

static int find_traces(List* statements, int n) {
  Traces found = TRACES_NONE;
  ListCell* cell;
  foreach (cell, statements) found = Max(found, traces_of_statement(lfirst_node(RawStmt, cell)->stmt));
  return (int)found;
}

static int is_commit_in(List* statements, int n) {
  Node* statement = n < list_length(statements) ? list_nth_node(RawStmt, statements, n)->stmt : NULL;
  TransactionStmtKind kind;
  if (statement == NULL || !IsA(statement, TransactionStmt)) return false;
  kind = ((TransactionStmt*)statement)->kind;
  return kind == TRANS_STMT_COMMIT || kind == TRANS_STMT_PREPARE;
}

static int is_copy_in(List* statements, int n) {
  Node* statement = n < list_length(statements) ? list_nth_node(RawStmt, statements, n)->stmt : NULL;
  return statement != NULL && IsA(statement, CopyStmt) && ((CopyStmt*)statement)->is_from;
}

/* Applies `question` to the statements; returns `otherwise` if this server's parser does not understand them. */
static int ask_parser(const char* sql, int (*question)(List* statements, int n), int n, int otherwise) {
  volatile int answer = otherwise;
  MemoryContext before = CurrentMemoryContext;
  MemoryContext parsing = AllocSetContextCreate(before, "tidepool traces", ALLOCSET_SMALL_SIZES);
  MemoryContextSwitchTo(parsing);
  /* The parser allocates only memory, so after its errors no further cleanup is needed. */
  PG_TRY();
  { answer = question(tidepool_parse(sql), n); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(parsing);
    FlushErrorState();
  }
  PG_END_TRY();
  MemoryContextSwitchTo(before);
  MemoryContextDelete(parsing);
  return answer;
}

static Traces look_at(const char* sql) { return (Traces)ask_parser(sql, find_traces, 0, TRACES_RESETTABLE); }

bool commits_at(const char* sql, int n) { return ask_parser(sql, is_commit_in, n, false) != 0; }

bool copies_in_at(const char* sql, int n) { return ask_parser(sql, is_copy_in, n, false) != 0; }

Traces traces_of(const char* sql) {
  const size_t length = strlen(sql);
  Verdict* verdict;
  if (length >= REMEMBERED_BYTES) return look_at(sql);
  for (int i = 0; i < REMEMBERED; ++i) {
    verdict = verdicts[i];
    if (verdict != NULL && verdict->length == length && memcmp(verdict->text, sql, length) == 0) return verdict->traces;
  }
  if (verdicts[next_verdict] == NULL) verdicts[next_verdict] = MemoryContextAlloc(TopMemoryContext, sizeof(Verdict));
  verdict = verdicts[next_verdict];
  verdict->length = UINT32_MAX; /* until the result is known */
  verdict->traces = look_at(sql);
  memcpy(verdict->text, sql, length);
  verdict->length = (uint32)length;
  next_verdict = (next_verdict + 1) % REMEMBERED;
  return verdict->traces;
}
