"""What a loader must say of itself before a row is touched, and the mistakes that it makes in saying it."""

from collections.abc import Sequence

from etl.errors import ConfigError
from etl.warehouse.publish import STRATEGIES

ON_EMPTY = ("fail", "keep", "replace")
# Strategies that name rows by their own key, or tell members of a dimension by it.
_KEYED = ("append", "upsert", "partition", "scd1", "scd2")


def check_declaration(name: str, table: str, strategy: str, key: Sequence[str], on_empty: str, dated: bool) -> None:
    """ConfigError that says which word of the loader `name` to correct."""
    if not table:
        raise ConfigError(f"{name}: say which `table` it loads")
    if strategy not in STRATEGIES:
        raise ConfigError(f"{name}: strategy = {strategy!r}; write one of {', '.join(STRATEGIES)}")
    if strategy in _KEYED and not key:
        raise ConfigError(f"{name}: strategy {strategy} needs a `key`")
    if strategy == "partition" and len(key) > 1:
        raise ConfigError(f"{name}: strategy partition takes one column as `key`, not {len(key)}")
    if strategy in ("scd1", "scd2") and not table.startswith("dim_"):
        raise ConfigError(f"{name}: strategy {strategy} is for dimensions, named dim_…, and not for {table}")
    if strategy == "scd2" and not dated:
        raise ConfigError(f"{name}: strategy scd2 keeps a history by days; give the task a `date`")
    if on_empty not in ON_EMPTY:
        raise ConfigError(f"{name}: on_empty = {on_empty!r}; write one of {', '.join(ON_EMPTY)}")
