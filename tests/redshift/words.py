"""The words that Redshift reserves and the parameters that its SET knows, as its documentation lists them."""


def listed(words: str) -> frozenset[str]:
    return frozenset(words.lower().split())


# Developer guide, "Reserved words". Any of them is a name only within double quotes.
RESERVED = listed(
    """
    AES128 AES256 ALL ALLOWOVERWRITE ANALYSE ANALYZE AND ANY ARRAY AS ASC AUTHORIZATION AZ64 BACKUP BETWEEN BINARY
    BLANKSASNULL BOTH BYTEDICT BZIP2 CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CREDENTIALS CROSS CURRENT_DATE
    CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURRENT_USER_ID DEFAULT DEFERRABLE DEFLATE DEFRAG DELTA DELTA32K DESC
    DISABLE DISTINCT DO ELSE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION END EXCEPT EXPLICIT FALSE FOR FOREIGN FREEZE
    FROM FULL GLOBALDICT256 GLOBALDICT64K GRANT GROUP GZIP HAVING IDENTITY IGNORE ILIKE IN INITIALLY INNER INTERSECT
    INTERVAL INTO IS ISNULL JOIN LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP LUN LUNS LZO LZOP MINUS MOSTLY16
    MOSTLY32 MOSTLY8 NATURAL NEW NOT NOTNULL NULL NULLS OFF OFFLINE OFFSET OID OLD ON ONLY OPEN OR ORDER OUTER OVERLAPS
    PARALLEL PARTITION PERCENT PERMISSIONS PIVOT PLACING PRIMARY RAW READRATIO RECOVER REFERENCES REJECTLOG RESORT
    RESPECT RESTORE RIGHT SELECT SESSION_USER SIMILAR SNAPSHOT SOME SYSDATE SYSTEM TABLE TAG TDES TEXT255 TEXT32K THEN
    TIMESTAMP TO TOP TRAILING TRUE TRUNCATECOLUMNS UNION UNIQUE UNNEST UNPIVOT USER USING VERBOSE WALLET WHEN WHERE
    WITH WITHOUT
    """
)

# Names for columns that Redshift has in every table, quoted or not.
SYSTEM_COLUMNS = listed("oid tableoid xmin cmin xmax cmax ctid")

# Parameters that Postgres knows by the same name and takes as they are.
SHARED_PARAMETERS = listed(
    "application_name client_encoding datestyle extra_float_digits search_path statement_timeout timezone"
)

# Parameters of Redshift's own ("Configuration reference"), which the emulator remembers and otherwise ignores.
OWN_PARAMETERS = listed(
    """
    analyze_threshold_percent cast_super_null_on_error default_geometry_encoding
    describe_field_name_in_uppercase downcase_delimited_identifier enable_case_sensitive_identifier
    enable_case_sensitive_super_attribute enable_numeric_rounding enable_result_cache_for_session
    enable_vacuum_boost error_on_nondeterministic_update idle_in_transaction_session_timeout
    interval_forbid_composite_literals json_parse_dedup_attributes json_parse_truncate_strings
    json_serialization_enable json_serialization_parse_nested_strings max_concurrency_scaling_clusters
    max_cursor_result_set_size mv_enable_aqmv_for_session navigate_super_null_on_error parse_super_null_on_error
    pg_federation_repeatable_read query_group spectrum_enable_pseudo_columns spectrum_query_maxerror
    stored_proc_log_min_messages wlm_query_slot_count
    """
)
