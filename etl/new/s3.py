"""Files below a folder of [s3_source] in, the beginnings of some: a fact by day where the folder is a day's, else one
that grows by what is new."""

import csv
import datetime
import io
import re
import tempfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from etl import config
from etl.errors import ConfigError, DataError, LakeBusy, LakeError, SourceError, SourceLost
from etl.findings import Findings
from etl.lake import Bucket, Object
from etl.new import samples
from etl.new.names import column_name, plural, quoted, slug
from etl.new.proposal import DIMENSION, FACT, Column, Proposal, Titles, Wishes, key_column, ordinary
from etl.new.samples import Sampled
from etl.new.text import escaped, listed, literal
from etl.sources import s3_formats
from etl.sources.json_values import as_text, loads

_FILES = 5
_BYTES = 1 << 20
_ROWS = 1000
_LISTED = 10_000

_DATES = (
    (r"(?<!\d)(\d{4})/(\d\d)/(\d\d)(?!\d)", "%Y/%m/%d"),
    (r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)", "%Y-%m-%d"),
    (r"(?<!\d)(\d{4})_(\d\d)_(\d\d)(?!\d)", "%Y_%m_%d"),
    (r"(?<!\d)(\d{4})(\d\d)(\d\d)(?!\d)", "%Y%m%d"),
)
_IDS = re.compile(r"(\w+_)?(id|uuid|guid|key|code|number)")


def look(place: str, wishes: Wishes) -> Proposal:
    """ConfigError where no file lies there, or files of one kind have other columns than others."""
    bucket = Bucket(config.s3_source())
    try:
        prefix, files = _found(bucket, place)
        read = [_columns(bucket, file) for file in files]
    except LakeError as error:
        raise (SourceLost if isinstance(error, LakeBusy) else SourceError)(str(error)) from None
    names = _same_names(bucket, files, read)
    dated = "{date" in prefix
    titles = Titles.of(_word(prefix), wishes, FACT)
    alias = titles.module[0]
    seen = {name: _typed(name, [one[name] for one in read if name in one]) for name in names}
    key = _key(names, seen, read, wishes, dated, titles)
    taken = [f"{titles.member}_key"]
    columns: list[Column] = []
    by_day = dated and titles.shape == FACT
    if by_day:
        columns.append(
            Column("date_key", "INTEGER", "{date_key}", "the day of the folder", True, shown=("20140203",) * 2)
        )
        taken.append("date_key")
    renamed: list[str] = []
    for name in sorted(names, key=lambda name: name not in key):
        sampled, said = seen[name], column_name(name, titles.member, taken)
        taken.append(said)
        expression = sampled.expression(f"{alias}.{quoted(name)}")
        if name in key:
            columns.append(key_column(said, sampled.kind, expression, sampled.found, titles, shown=sampled.shown))
        else:
            shown = (sampled.shown[0], None)
            columns.append(ordinary(said, sampled.kind, expression, sampled.found, titles, shown=shown))
        if said != name:
            renamed.append(f"{name} is {said}")
    own = tuple(column.name for column in columns[by_day : by_day + len(key)])
    notes = [samples.note(len(files), "files")]
    if renamed:
        notes.append(f"Renamed, since their names need quotes in SQL or are taken: {', '.join(renamed)}.")
    if by_day and not key:
        notes.append("No column tells its rows apart, so a row that a file has twice is there twice; --key names one.")
    return Proposal(
        source=bucket.url(prefix),
        titles=titles,
        columns=columns,
        key=("date_key",) if by_day else own,
        strategy="partition" if by_day else "upsert" if titles.shape == FACT else "scd1",
        about=f"{plural(titles.member).replace('_', ' ').capitalize()}, from files below {prefix}".rstrip("/")
        .replace("{date:", "")
        .replace("}", "")
        + ".",
        rows_of=f"{{stage}} {alias}",
        imports=["from etl.load import BaseLoader", "from etl.sources.s3 import S3Extractor"],
        requires="",
        extract="\n".join(
            [
                f"class {titles.extract}(S3Extractor):",
                f"    prefix = {literal(prefix)}",
                f"    columns = {listed(names, len('    columns = '))}",
            ]
        ),
        fixtures="warehouse, s3_source, lake",
        setup=_setup(prefix, names, seen, key),
        notes=notes,
        primary=("date_key", *own) if by_day and own else own if titles.shape == FACT else (),
    )


def _found(bucket: Bucket, place: str) -> tuple[str, list[Object]]:
    """The prefix, with its date where the files have one, and the files to look at: those of the last day."""
    if place.startswith("s3://"):
        if not place.startswith(bucket.url("")):
            raise ConfigError(f"{place}: is not in [s3_source] url, which is {bucket.url('')}")
        place = place.removeprefix(bucket.url(""))
    place = place.lstrip("/")
    literal_part = place.partition("{")[0]
    there = [file for _, file in zip(range(_LISTED), bucket.list(literal_part), strict=False) if _is_data(file)]
    if not there:
        raise ConfigError(f"{bucket.url(literal_part)}: no file there that can be read; {_near(bucket, literal_part)}")
    last = max(there, key=lambda file: (_date(file.key, 0)[0] or "", file.key))
    if "{date" in place:
        prefix = place
    else:
        day, ending, form = _date(last.key, 0)
        if day:
            start = last.key[:ending].rfind(_written(day, form))
            after = "/" if last.key[ending : ending + 1] == "/" else ""
            prefix = f"{_braced(last.key[:start])}{{date:{form}}}{after}"
        else:
            below = f"{place.rstrip('/')}/"
            prefix = _braced(below if all(file.key.startswith(below) for file in there) else place)
    return prefix, [file for file in there if _date(file.key, 0)[0] == _date(last.key, 0)[0]][-_FILES:]


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _written(day: str, form: str) -> str:
    return datetime.date.fromisoformat(day).strftime(form)


def _date(key: str, start: int) -> tuple[str, int, str]:
    """The first date in a key, where it ends, and its form; '' for none."""
    for pattern, form in _DATES:
        for found in re.finditer(pattern, key[start:]):
            try:
                day = datetime.date(*map(int, found.groups()))
            except ValueError:
                continue
            return day.isoformat(), found.end(), form
    return "", 0, ""


def _is_data(file: Object) -> bool:
    name = file.key.rpartition("/")[2]
    return bool(name) and not name.startswith(("_", ".")) and s3_formats.ending(file.key) is not None and file.size > 0


def _near(bucket: Bucket, prefix: str) -> str:
    """What lies in the folder above, or what is there and cannot be read."""
    strange = [file.key for _, file in zip(range(100), bucket.list(prefix), strict=False) if file.size]
    if strange:
        return f"{strange[0]} is none of {', '.join(s3_formats.READERS)}"
    folders = sorted({file.key.partition("/")[0] for _, file in zip(range(_LISTED), bucket.list(""), strict=False)})
    return f"{bucket.url('')} has {', '.join(folders[:10]) or 'nothing'}"


def _columns(bucket: Bucket, file: Object) -> dict[str, list[str | None]]:
    """The texts of each column, in the order of the file."""
    name = bucket.url(file.key)
    source = s3_formats.Source(name, lambda: bucket.open(file.key), (), Findings())
    try:
        if s3_formats.ending(file.key) == ".parquet":
            return _parquet(bucket, file)
        with source.text() as stream:
            data = _beginning(stream)
        return _json_lines(data) if re.search(r"\.(jsonl|ndjson)", file.key.rpartition("/")[2]) else _csv(name, data)
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{name}: cannot be read ({error})") from None


def _beginning(stream: Any) -> bytes:
    data = b""
    while len(data) < _BYTES and (more := stream.read(_BYTES)):
        data += more
    # The last line may be cut.
    return data if len(data) < _BYTES else data[: data.rfind(b"\n") + 1]


def _csv(name: str, data: bytes) -> dict[str, list[str | None]]:
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    header = next(rows, [])
    if not header or len(set(header)) < len(header):
        raise DataError(f"{name}: line 1 should name the columns, each once, and is {','.join(header)[:100]!r}")
    columns: dict[str, list[str | None]] = {column: [] for column in header}
    for _, row in zip(range(_ROWS), rows, strict=False):
        for column, value in zip(header, row, strict=False):
            columns[column].append(value or None)
    return columns


def _json_lines(data: bytes) -> dict[str, list[str | None]]:
    records = [loads(line) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:_ROWS] if line.strip()]
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [as_text(record.get(name)) for record in records] for name in names}


def _parquet(bucket: Bucket, file: Object) -> dict[str, list[str | None]]:
    """As the extract reads it, a text a value."""
    with tempfile.TemporaryFile() as spool:
        spool.write(bucket.read(file.key))
        names = tuple(pyarrow.parquet.ParquetFile(spool).schema_arrow.names)
    source = s3_formats.Source(bucket.url(file.key), lambda: bucket.open(file.key), names, Findings())
    batch = next(iter(source.batches()), None)
    return {name: batch.column(name)[:_ROWS].to_pylist() if batch else [] for name in names}


def _same_names(bucket: Bucket, files: list[Object], read: list[dict[str, Any]]) -> list[str]:
    """All columns; ConfigError where a file that names its columns lacks one, which the extract would refuse."""
    names = list(dict.fromkeys(name for one in read for name in one))
    if not names:
        raise ConfigError(f"{bucket.url(files[-1].key)}: has no column")
    for file, one in zip(files, read, strict=True):
        lacks = [name for name in names if name not in one]
        if lacks and ".json" not in file.key and ".ndjson" not in file.key:
            raise ConfigError(
                f"{bucket.url(file.key)}: has no column {', '.join(lacks)}, and another file has; name a folder of "
                f"files that are alike"
            )
    return names


def _typed(name: str, texts: list[list[str | None]]) -> Sampled:
    return samples.type_of([text for some in texts for text in some], slug(name).replace("_", " "))


def _word(prefix: str) -> str:
    """What the files are about: of partners/clicks/{date:%Y/%m/%d}/ clicks."""
    words = re.findall(r"[A-Za-z]\w*", re.sub(r"\{date[^}]*\}|\b(dt|day|date|year|ds)=", " ", prefix))
    return words[-1].strip("_") if words else "file"


def _key(
    names: list[str],
    seen: dict[str, Sampled],
    read: Sequence[dict[str, list[str | None]]],
    wishes: Wishes,
    dated: bool,
    titles: Titles,
) -> list[str]:
    """Those that were said, else the one column that looks like a key and never repeats."""
    if strange := [name for name in wishes.key if name not in names]:
        raise ConfigError(f"--key {strange[0]}: the files have no such column; they have {', '.join(names)}")
    if empty := [name for name in wishes.key if any(None in one.get(name, [None]) for one in read)]:
        raise ConfigError(f"--key {empty[0]}: there are rows without it, and a key is never empty; name other columns")
    if wishes.key:
        return list(wishes.key)
    for name in sorted(names, key=lambda name: slug(name) not in ("id", f"{titles.member}_id")):
        values = [text for one in read for text in one.get(name, [])]
        if _IDS.fullmatch(slug(name)) and values and None not in values and len(set(values)) == len(values):
            return [name]
    if dated and titles.shape != DIMENSION:
        return []
    raise ConfigError(
        f"no column tells the rows apart; say which do, such as --key {names[0]}. The files have {', '.join(names)}"
    )


def _setup(prefix: str, names: list[str], seen: dict[str, Sampled], key: list[str]) -> str:
    """A CSV file of two rows, whatever the real ones are: it is read to the same texts."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(names)
    out.writerow([seen[name].examples[0] for name in names])
    out.writerow([seen[name].examples[1] if name in key else None for name in names])
    where = f"{prefix.format(date=datetime.date(2014, 2, 3))}rows.csv"
    body = text.getvalue()
    wide = "  # noqa: E501" if max(map(len, body.splitlines())) > 120 else ""
    return f'    rows = """\\\n{escaped(body)}"""{wide}\n    s3_source.put({literal(where)}, rows.encode())'
