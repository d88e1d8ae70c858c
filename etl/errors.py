"""What can go wrong, grouped by what the reader of the message should do.

    EtlError
    |-- ConfigError        mend the settings
    |-- MissingData        wait for it, or ask its owner: it is not there yet
    |-- SourceError        look at the source: it is down, refuses us or answers in part
    |-- DataError          look at the data: it breaks a rule that was declared
    |-- LakeError          look at the lake: a part is lost or altered
    |-- WarehouseError     look at the warehouse: it is down, full or refuses us
        |-- Locked         somebody else is loading: wait for them

Every message names the object (table, key, setting), the value, both numbers where two disagree, and
the next step. They are shown without a stack trace: a trace is for bugs.
"""


class EtlError(Exception):
    """A failure that a person can act upon; its text says how."""


class ConfigError(EtlError):
    pass


class MissingData(EtlError):
    pass


class SourceError(EtlError):
    pass


class DataError(EtlError):
    pass


class LakeError(EtlError):
    pass


class WarehouseError(EtlError):
    pass


class Locked(WarehouseError):
    pass
