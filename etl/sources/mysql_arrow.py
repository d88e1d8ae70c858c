"""The fast way out of MySQL: connectorx, which turns the server's answer into Arrow without a Python object a value.

One statement on one connection reads the rows and counts them, so both are of one snapshot whatever the server is.
"""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import connectorx
import pyarrow as pa

from etl.errors import SourceError
from etl.sources.mysql_connection import SESSION, Address, lost

_ROWS_A_BATCH = 32_768
# Of a table whose values may have 64 KB each.
_ROWS_A_BATCH_OF_TEXT = 4_096


class Unfit(Exception):
    """The read failed in a way that connectorx only panics about: a value that it cannot hold, or a lost connection."""


def batches(to: Address, select: str, counted: str, text: bool, what: str) -> Iterator[tuple[int, pa.RecordBatch]]:
    """What `select` gives, each batch with the number of rows that `counted` has; nothing for a table without rows.

    `text` says that values may be long. Unfit, also in the middle, where PyMySQL has to read it all instead.
    """
    columns, _, source = select.partition(" FROM ")
    statement = f"{columns}, (SELECT COUNT(*) FROM {counted}) FROM {source}"
    with _explained(to, what):
        reader = connectorx.read_sql(
            _url(to),
            statement,
            return_type="arrow_stream",
            protocol="binary",
            batch_size=_ROWS_A_BATCH_OF_TEXT if text else _ROWS_A_BATCH,
            pre_execution_query=list(SESSION),
        )
    while True:
        with _explained(to, what):
            batch = next(iter(reader), None)
        if batch is None:
            return
        if batch.num_rows:
            last = batch.num_columns - 1
            yield batch.column(last)[0].as_py(), batch.select(range(last))


def _url(to: Address) -> str:
    # The socket would hop past TLS, and past what stands between us and the server.
    options = "?prefer_socket=false"
    if to.ssl_ca:
        options += f"&ssl-mode=VERIFY_IDENTITY&ssl-ca={quote(to.ssl_ca, safe='')}"
    user, password = quote(to.user, safe=""), quote(to.password, safe="")
    return f"mysql://{user}:{password}@{to.host}:{to.port}/{quote(to.database, safe='')}{options}"


@contextlib.contextmanager
def _explained(to: Address, what: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # A query that the server refuses. The text may quote the URL, and so the password.
        said = str(error).replace(quote(to.password, safe=""), "…") if to.password else str(error)
        if lost(said):
            raise Unfit(said) from None
        raise SourceError(f"{what}: MySQL at {to.host}:{to.port} answers: {said}") from None
    except BaseException as error:
        # PanicException is no Exception, and connectorx does not export it.
        if type(error).__name__ != "PanicException":
            raise
        raise Unfit(str(error).partition("\n")[0]) from None
