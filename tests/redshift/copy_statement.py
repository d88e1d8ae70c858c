"""The text of a COPY statement in, what it asks for out; whatever Redshift's grammar does not know is refused."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.redshift.errors import Refused

SYNTAX, VALUE, UNSUPPORTED = "42601", "22023", "0A000"


@dataclass(frozen=True)
class CopyStatement:
    """`schema` and `columns` are as the statement has them, so None and () where it is silent.

    `null` is the text that stands for NULL; `dateformat` and `timeformat` are '' for the default, 'auto' or a pattern.
    """

    schema: str | None
    table: str
    columns: tuple[str, ...]
    url: str
    authorization: str
    manifest: bool = False
    compression: str = ""
    delimiter: str = ","
    quote: str = '"'
    null: str = r"\N"
    encoding: str = "UTF8"
    region: str = ""
    dateformat: str = ""
    timeformat: str = ""
    ignore_header: int = 0
    max_error: int = 0
    all_errors: bool = False
    round_decimals: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    trim_blanks: bool = False
    truncate_columns: bool = False
    accept_any_date: bool = False
    accept_invalid: str = ""
    fill_record: bool = False
    ignore_blank_lines: bool = False
    explicit_ids: bool = False
    no_load: bool = False


def parse_copy(text: str) -> CopyStatement:
    """Raise Refused unless the text is one COPY from S3 that Redshift takes and the emulator can do."""
    return _Parser(text).parse()


_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.|'')*')
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[A-Za-z_\u0080-\U0010ffff#][\w$#]*)
    |(?P<number>\d+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+(,arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)*")
_KEYS = re.compile(r"aws_access_key_id=[^;=\s]+;aws_secret_access_key=[^;\s]+(;token=[^;\s]+)?")
_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+", re.DOTALL)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ESCAPE = re.compile(r"\\(t|\d{1,3})")
_IN_STRING = re.compile(r"''|\\([0-7]{1,3}|.)", re.DOTALL)
_ENCODINGS = {"UTF8": "UTF8", "UTF-8": "UTF8", "ISO88591": "ISO88591"}
_NOT_FOR_CSV = ("ESCAPE", "REMOVEQUOTES", "FIXEDWIDTH")
# Of Redshift, and beyond what the emulator can do.
_BEYOND = (
    "LZOP",
    "ENCRYPTED",
    "MASTER_SYMMETRIC_KEY",
    "SSH",
    "READRATIO",
    "AVRO",
    "JSON",
    "PARQUET",
    "ORC",
    "SHAPEFILE",
)
_FLAGS = {
    "MANIFEST": "manifest",
    "ROUNDEC": "round_decimals",
    "EMPTYASNULL": "empty_as_null",
    "BLANKSASNULL": "blanks_as_null",
    "TRIMBLANKS": "trim_blanks",
    "TRUNCATECOLUMNS": "truncate_columns",
    "ACCEPTANYDATE": "accept_any_date",
    "FILLRECORD": "fill_record",
    "IGNOREBLANKLINES": "ignore_blank_lines",
    "IGNOREALLERRORS": "all_errors",
    "EXPLICIT_IDS": "explicit_ids",
    "NOLOAD": "no_load",
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int

    @property
    def value(self) -> str:
        """Without quotes; an unquoted name in lower case, as Redshift folds it."""
        if self.kind == "string":
            return _IN_STRING.sub(_unescaped, self.text[1:-1])
        return self.text[1:-1].replace('""', '"') if self.kind == "quoted" else self.text.lower()


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape is None:
        return "'"
    return chr(int(escape, 8)) if escape[0] in "01234567" else _CONTROLS.get(escape, escape)


_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _Parser:
    def __init__(self, text: str):
        self._text = text
        self._tokens = [
            _Token(match.lastgroup or "", match[0], match.start() + 1)
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]
        self._at = 0
        self._seen: dict[str, _Token] = {}
        self._said: dict[str, object] = {}
        self._keys: set[str] = set()

    def parse(self) -> CopyStatement:
        self._word("COPY")
        table = self._name()
        schema = None
        if self._take("."):
            schema, table = table, self._name()
        columns = self._columns()
        self._word("FROM")
        source = self._peek()
        url = self._string()
        if not _URL.fullmatch(url):
            raise Refused(
                UNSUPPORTED, f"COPY from {url!r} is not from S3", position=source.position if source else None
            )
        while (token := self._peek()) and token.text != ";":
            self._option(token)
        self._take(";")
        if token := self._peek():
            raise self._syntax(token)
        self._check()
        statement = CopyStatement(schema, table, columns, url, self._authorization())
        return dataclasses.replace(statement, **self._said)  # type: ignore[arg-type]

    def _columns(self) -> tuple[str, ...]:
        names: list[str] = []
        if self._take("("):
            names.append(self._name())
            while self._take(","):
                names.append(self._name())
            self._sign(")")
        for name in names:
            if names.count(name) > 1:
                raise Refused("42701", f'column "{name}" specified more than once')
        return tuple(names)

    def _option(self, token: _Token) -> None:
        if token.kind != "word":
            raise self._syntax(token)
        self._at += 1
        name = token.text.upper()
        if name == "WITH":
            self._word("CREDENTIALS")
            name = "CREDENTIALS"
        if name == "FORMAT":
            self._take_word("AS")
            name = self._any_word()
        if name in _BEYOND:
            raise Refused(UNSUPPORTED, f"COPY with {name} is beyond the emulator", position=token.position)
        if name in self._seen:
            raise Refused(SYNTAX, f"conflicting or redundant options: {name}", position=token.position)
        self._seen[name] = token
        if name in _FLAGS:
            self._said[_FLAGS[name]] = True
        elif name in self._handlers:
            self._handlers[name](self)
        elif name not in ("CSV", *_NOT_FOR_CSV):
            raise self._syntax(token)

    def _iam_role(self) -> None:
        if self._take_word("DEFAULT"):
            self._said["authorization"] = "default"
            return
        role = self._string()
        if role.lower() == "default" or not _ROLE.fullmatch(role):
            raise Refused(VALUE, f"Invalid IAM role: {role}", "write IAM_ROLE default or 'arn:aws:iam::…:role/…'")
        self._said["authorization"] = role

    def _credentials(self) -> None:
        self._take_word("AS")
        text = self._string()
        role = text.removeprefix("aws_iam_role=")
        if text == role and _KEYS.fullmatch(text):
            self._said["authorization"] = "keys"
        elif text != role and _ROLE.fullmatch(role):
            self._said["authorization"] = role
        else:
            raise Refused(VALUE, "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or "
                          "'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'")  # fmt: skip

    def _key(self) -> None:
        self._take_word("AS")
        if not self._string():
            raise Refused(VALUE, "Invalid credentials: an access key is empty")

    def _one_character(self, field: str) -> None:
        token = self._as_string()
        character = _ESCAPE.sub(lambda m: "\t" if m[1] == "t" else chr(int(m[1], 8)), token.value)
        if len(character) != 1 or not character.isascii() or character in "\n\r\0":
            raise Refused(VALUE, f"COPY {field} must be a single ASCII character, not {token.text}", "", token.position)
        self._said[field] = character

    def _null(self) -> None:
        token = self._as_string()
        # So the documentation writes the default, though a backslash in any other literal is an escape.
        text = r"\N" if token.text == r"'\N'" else token.value
        text = "\0" if text in (r"\0", r"\000") else text
        if "\n" in text or "\r" in text:
            raise Refused(VALUE, "NULL argument must not contain a line end", position=token.position)
        self._said["null"] = text

    def _count(self, field: str, most: int) -> None:
        self._take_word("AS")
        token = self._peek()
        if token is None or token.kind != "number":
            raise self._syntax(token)
        self._at += 1
        if int(token.text) > most:
            raise Refused(VALUE, f"{field.replace('_', '').upper()} {token.text} is above {most}", "", token.position)
        self._said[field] = int(token.text)

    def _pattern(self, field: str) -> None:
        token = self._as_string()
        pattern = token.value
        epochs = ("epochsecs", "epochmillisecs") if field == "timeformat" else ()
        # The keywords are case-sensitive: AUTO is a pattern, and one without a date part.
        if pattern != "auto" and pattern not in epochs and not re.search("YY|MM|DD|HH|MI|SS", pattern, re.IGNORECASE):
            raise Refused(VALUE, f"{field.upper()} {token.text} is not a format", position=token.position)
        if re.search("TZ|OF", pattern, re.IGNORECASE):
            raise Refused(VALUE, f"{field.upper()} {token.text} holds a time zone", position=token.position)
        self._said[field] = pattern

    def _invalid(self) -> None:
        self._said["accept_invalid"] = "?"
        after_as = self._take_word("AS")
        token = self._peek()
        if after_as or (token and token.kind == "string"):
            self._one_character("accept_invalid")

    def _encoding(self) -> None:
        self._take_word("AS")
        token = self._peek()
        if token is None or token.kind not in ("word", "string"):
            raise self._syntax(token)
        self._at += 1
        name = token.value.upper()
        if name in ("UTF16", "UTF16LE", "UTF16BE"):
            raise Refused(UNSUPPORTED, f"COPY with ENCODING {name} is beyond the emulator", position=token.position)
        if name not in _ENCODINGS:
            raise self._syntax(token)
        self._said["encoding"] = _ENCODINGS[name]

    def _region(self) -> None:
        token = self._as_string()
        if not _REGION.fullmatch(token.value):
            raise Refused(VALUE, f"{token.text} is not a valid AWS region", position=token.position)
        self._said["region"] = token.value

    def _switch(self) -> None:
        self._take_word("ON", "OFF", "TRUE", "FALSE")

    def _compupdate(self) -> None:
        self._take_word("ON", "OFF", "TRUE", "FALSE", "PRESET")

    _handlers: dict[str, Callable[["_Parser"], None]] = {
        "IAM_ROLE": _iam_role,
        "CREDENTIALS": _credentials,
        "ACCESS_KEY_ID": _key,
        "SECRET_ACCESS_KEY": _key,
        "SESSION_TOKEN": _key,
        "GZIP": lambda self: self._said.update(compression="gzip"),
        "BZIP2": lambda self: self._said.update(compression="bz2"),
        "ZSTD": lambda self: self._said.update(compression="zstd"),
        "DELIMITER": lambda self: self._one_character("delimiter"),
        "QUOTE": lambda self: self._one_character("quote"),
        "NULL": _null,
        "IGNOREHEADER": lambda self: self._count("ignore_header", 1 << 31),
        "MAXERROR": lambda self: self._count("max_error", 100_000),
        "COMPROWS": lambda self: self._count("_", 1_000_000_000),
        "DATEFORMAT": lambda self: self._pattern("dateformat"),
        "TIMEFORMAT": lambda self: self._pattern("timeformat"),
        "ACCEPTINVCHARS": _invalid,
        "ENCODING": _encoding,
        "REGION": _region,
        "COMPUPDATE": _compupdate,
        "STATUPDATE": _switch,
    }

    def _check(self) -> None:
        """What options say together."""
        self._said.pop("_", None)
        for name in _NOT_FOR_CSV:
            if "CSV" in self._seen and name in self._seen:
                raise Refused(SYNTAX, f"CSV is not compatible with {name}", position=self._seen[name].position)
        if "CSV" not in self._seen:
            raise Refused(UNSUPPORTED, "COPY of anything but CSV is beyond the emulator; say FORMAT AS CSV")
        packed = [name for name in ("GZIP", "BZIP2", "ZSTD") if name in self._seen]
        if len(packed) > 1:
            raise Refused(SYNTAX, f"{' and '.join(packed)} exclude each other", position=self._seen[packed[1]].position)
        if self._said.get("delimiter", ",") == self._said.get("quote", '"'):
            raise Refused(SYNTAX, "COPY delimiter and quote must be different")
        if "IGNOREALLERRORS" in self._seen and "MAXERROR" in self._seen:
            raise Refused(SYNTAX, "IGNOREALLERRORS and MAXERROR exclude each other")

    def _authorization(self) -> str:
        keys = [name for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN") if name in self._seen]
        given = [name for name in ("IAM_ROLE", "CREDENTIALS") if name in self._seen] + keys[:1]
        if len(given) > 1:
            raise Refused(SYNTAX, f"conflicting or redundant options: {' and '.join(given)}",
                          position=self._seen[given[1]].position)  # fmt: skip
        if not given or (keys and keys[:2] != ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"]):
            raise Refused(SYNTAX, "CREDENTIALS argument is required but was not specified")
        return str(self._said.get("authorization", "keys"))

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, sign: str) -> bool:
        token = self._peek()
        found = token is not None and token.kind == "sign" and token.text == sign
        self._at += found
        return found

    def _sign(self, sign: str) -> None:
        if not self._take(sign):
            raise self._syntax(self._peek())

    def _take_word(self, *words: str) -> bool:
        token = self._peek()
        found = token is not None and token.kind == "word" and token.text.upper() in words
        self._at += found
        return found

    def _word(self, word: str) -> None:
        if not self._take_word(word):
            raise self._syntax(self._peek())

    def _any_word(self) -> str:
        token = self._peek()
        if token is None or token.kind != "word":
            raise self._syntax(token)
        self._at += 1
        return token.text.upper()

    def _name(self) -> str:
        token = self._peek()
        if token is None or token.kind not in ("word", "quoted"):
            raise self._syntax(token)
        self._at += 1
        return token.value

    def _string(self) -> str:
        token = self._peek()
        if token is None or token.kind != "string":
            raise self._syntax(token)
        self._at += 1
        return token.value

    def _as_string(self) -> _Token:
        self._take_word("AS")
        self._string()
        return self._tokens[self._at - 1]

    def _syntax(self, token: _Token | None) -> Refused:
        if token is None:
            return Refused(SYNTAX, "syntax error at end of input", position=len(self._text) + 1)
        return Refused(SYNTAX, f'syntax error at or near "{token.text}"', position=token.position)
