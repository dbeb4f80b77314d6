// Functions of PostgreSQL and its extensions that leave no state in the session: no setting, lock, sequence value,
// temporary object, prepared statement, listening channel or connection, and that do not execute a statement passed as
// text.
//
// All are immutable or stable in the catalog of PostgreSQL, except random(), clock_timestamp(), pg_sleep() and the like.
// A function that is missing here only causes a reset at the end of a lease.
#pragma once

#include <algorithm>
#include <string_view>

namespace tide::libpq {

// clang-format off
inline constexpr std::string_view kHarmlessFunctions[] = {
    "abs", "acos", "acosd", "age", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove", "array_replace",
    "array_sample", "array_shuffle", "array_to_json", "array_to_string", "array_upper", "ascii", "asin", "atan",
    "atan2", "avg", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bool_and", "bool_or", "bpchar",
    "broadcast", "btrim", "cardinality", "cbrt", "ceil", "ceiling", "char", "char_length", "character_length", "chr",
    "clock_timestamp", "col_description", "concat", "concat_ws", "convert", "convert_from", "convert_to", "corr", "cos",
    "cot", "count", "covar_pop", "covar_samp", "crypt", "cume_dist", "current_database", "current_schema",
    "current_schemas", "current_setting", "date", "date_add", "date_bin", "date_part", "date_subtract", "date_trunc",
    "daterange", "decode", "degrees", "dense_rank", "digest", "div", "encode", "enum_first", "enum_last", "enum_range",
    "every", "exp", "extract", "factorial", "first_value", "float4", "float8", "floor", "format", "format_type", "gcd",
    "gen_random_bytes", "gen_random_uuid", "gen_salt", "generate_series", "generate_subscripts", "get_bit", "get_byte",
    "has_any_column_privilege", "has_column_privilege", "has_database_privilege", "has_function_privilege",
    "has_schema_privilege", "has_sequence_privilege", "has_table_privilege", "hashtext", "hashtextextended", "hmac",
    "host", "inet_client_addr", "inet_client_port", "inet_server_addr", "inet_server_port", "initcap", "int2", "int4",
    "int4range", "int8", "int8range", "interval", "isempty", "isfinite", "json_agg", "json_array_elements",
    "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object", "json_each",
    "json_each_text", "json_extract_path", "json_extract_path_text", "json_object", "json_object_agg",
    "json_object_keys", "json_populate_record", "json_populate_recordset", "json_strip_nulls", "json_to_record",
    "json_to_recordset", "json_typeof", "jsonb_agg", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_each", "jsonb_each_text",
    "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_first", "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty", "jsonb_set",
    "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset", "jsonb_typeof", "justify_days", "justify_hours",
    "justify_interval", "lag", "last_value", "lcm", "lead", "left", "length", "ln", "log", "log10", "lower",
    "lower_inc", "lower_inf", "lpad", "ltrim", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "max", "md5", "min", "mod", "mode", "name", "network", "normalize", "now", "nth_value", "ntile",
    "num_nonnulls", "num_nulls", "numeric", "numrange", "obj_description", "octet_length", "oid", "overlay",
    "percent_rank", "percentile_cont", "percentile_disc", "pg_backend_pid", "pg_blocking_pids", "pg_client_encoding",
    "pg_column_size", "pg_current_wal_lsn", "pg_database_size", "pg_encoding_to_char", "pg_get_constraintdef",
    "pg_get_expr", "pg_get_functiondef", "pg_get_indexdef", "pg_get_serial_sequence", "pg_get_userbyid",
    "pg_get_viewdef", "pg_has_role", "pg_indexes_size", "pg_is_in_recovery", "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_listening_channels", "pg_my_temp_schema",
    "pg_postmaster_start_time", "pg_relation_size", "pg_size_bytes", "pg_size_pretty", "pg_sleep", "pg_sleep_for",
    "pg_sleep_until", "pg_stat_get_activity", "pg_table_is_visible", "pg_table_size", "pg_total_relation_size",
    "pg_typeof", "pg_wal_lsn_diff", "phraseto_tsquery", "pi", "plainto_tsquery", "position", "pow", "power",
    "quote_ident", "quote_literal", "quote_nullable", "radians", "random", "range_agg", "range_merge", "rank",
    "regclass", "regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_matches", "regexp_replace",
    "regexp_split_to_array", "regexp_split_to_table", "regexp_substr", "regr_count", "regr_r2", "regr_slope", "repeat",
    "replace", "reverse", "right", "round", "row_number", "row_to_json", "rpad", "rtrim", "scale", "set_byte",
    "setweight", "sha224", "sha256", "sha384", "sha512", "shobj_description", "sign", "similarity", "sin", "split_part",
    "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg",
    "string_to_array", "string_to_table", "strip", "strpos", "substr", "substring", "sum", "tan", "text", "time",
    "timeofday", "timestamp", "timestamptz", "timetz", "timezone", "to_char", "to_date", "to_hex", "to_json",
    "to_jsonb", "to_number", "to_regclass", "to_regtype", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "translate", "trim", "trim_array", "trunc", "ts_headline", "ts_rank", "ts_rank_cd",
    "tsrange", "tstzrange", "txid_current", "txid_current_if_assigned", "unaccent", "unnest", "upper", "upper_inc",
    "upper_inf", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuid_generate_v5", "uuidv7", "var_pop",
    "var_samp", "varchar", "variance", "version", "websearch_to_tsquery", "width_bucket", "word_similarity", "xml",
    "xmlagg", "xmlcomment", "xpath", "xpath_exists"};
// clang-format on
static_assert(std::ranges::is_sorted(kHarmlessFunctions));

}  // namespace tide::libpq
