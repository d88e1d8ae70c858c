"""What can go wrong, grouped by what the reader of the message should do.

    EtlError
    |-- ConfigError        mend the settings
    |-- MissingData        wait for it, or ask its owner: it is not there yet
    |-- SourceError        look at the source: it is down, refuses us or answers in part
    |   |-- SourceLost     (Transient) no answer, or no more of one
    |-- DataError          look at the data: it breaks a rule that was declared
    |-- LakeError          look at the lake: a part is lost or altered
    |   |-- LakeBusy       (Transient) overloaded, or the connection broke
    |-- WarehouseError     look at the warehouse: it is down, full or refuses us
    |   |-- WarehouseLost  (Transient) the session ended, or none could be had
    |   |-- Conflict       (Transient) the server chose this transaction to give way to another
    |   |-- Locked         somebody else is loading or reading: wait for them
    |-- Transient          nothing, at first: the same again may succeed, and etl.retry does it again

Every message names the object (table, key, setting), the value, both numbers where two disagree, and
the next step. They are shown without a stack trace: a trace is for bugs.
"""

# The exit code of a command that did its work and found that something is not as it should be.
FAILED = 30


class EtlError(Exception):
    """A failure that a person can act upon; its text says how. `code` is the exit code of a command that it ends."""

    code = FAILED


class ConfigError(EtlError):
    code = 2


class Transient(EtlError):
    pass


class MissingData(EtlError):
    code = 20


class SourceError(EtlError):
    pass


class SourceLost(SourceError, Transient):
    pass


class DataError(EtlError):
    pass


class LakeError(EtlError):
    pass


class LakeBusy(LakeError, Transient):
    pass


class WarehouseError(EtlError):
    pass


class WarehouseLost(WarehouseError, Transient):
    pass


class Conflict(WarehouseError, Transient):
    pass


class Locked(WarehouseError):
    code = 10
