"""The functions that Redshift's documentation has and the emulator answers. Every other function is refused."""

from tests.redshift.words import listed

AGGREGATES = listed(
    """
    any_value avg bit_and bit_or bool_and bool_or count listagg max min percentile_cont percentile_disc stddev
    stddev_pop stddev_samp sum var_pop var_samp variance
    """
)

# WITHIN GROUP belongs to these.
ORDERED_SET = listed("listagg percentile_cont percentile_disc")

WINDOW = listed(
    """
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    """
)

# With ORDER BY in their window these want a frame, which Postgres would take for granted.
FRAMED = AGGREGATES | {"first_value", "last_value", "nth_value"}

_DATES = """
    convert_timezone date_cmp date_part date_trunc dateadd datediff extract getdate last_day
    sysdate timeofday timezone to_date to_timestamp trunc
"""
_STRINGS = """
    ascii bpcharcmp btrim char_length character_length charindex chr concat initcap left len length lower lpad
    ltrim octet_length position quote_ident quote_literal regexp_count regexp_instr regexp_replace regexp_substr repeat
    replace replicate reverse right rpad rtrim split_part strpos strtol substring textlen to_char translate trim upper
"""
_NUMBERS = """
    abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees dexp dlog1 dlog10 exp floor ln mod pi power pow radians
    random round sign sin sqrt tan to_number
"""
_HASHES = "from_hex md5 sha2 to_hex"
_CHOICES = "coalesce decode greatest grouping least nullif nvl nvl2"
_JSON = "can_json_parse is_valid_json json_parse"
_SYSTEM = """
    current_database current_setting current_user_id pg_backend_pid pg_cancel_backend pg_last_copy_count
    pg_last_copy_id pg_last_query_id pg_terminate_backend version
"""

# The leader node has these and no other node: a query with one of them and a user's table or a system table fails.
LEADER_ONLY = listed(
    """
    current_schema current_schemas factorial has_database_privilege has_schema_privilege has_table_privilege log substr
    array_to_string format_type generate_series obj_description col_description pg_get_constraintdef pg_get_expr
    pg_get_indexdef pg_get_userbyid pg_get_viewdef pg_table_is_visible
    """
)

KNOWN = (
    AGGREGATES
    | WINDOW
    | LEADER_ONLY
    | listed(" ".join((_DATES, _STRINGS, _NUMBERS, _HASHES, _CHOICES, _JSON, _SYSTEM)))
)

# What stands for a part of a date, by the part.
_PART_NAMES = {
    "millennium": "millennia mil mils",
    "century": "centuries c cent cents",
    "decade": "decades dec decs",
    "year": "years y yr yrs",
    "quarter": "quarters qtr qtrs",
    "month": "months mon mons",
    "week": "weeks w",
    "day": "days d",
    "dayofweek": "day_of_week dow dw weekday",
    "dayofyear": "day_of_year doy dy yearday",
    "hour": "hours h hr hrs",
    "minute": "minutes m min mins",
    "second": "seconds s sec secs",
    "millisecond": "milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon",
    "microsecond": "microseconds microsec microsecs usecond useconds us usec usecs",
    "epoch": "",
}
DATE_PARTS = {name: part for part, names in _PART_NAMES.items() for name in (part, *names.split())}
