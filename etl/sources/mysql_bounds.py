"""How much room a MySQL declaration leaves its values, as a manifest's `bounds` say it: VARCHAR(bytes), DECIMAL(p,s).

Bytes are those of the UTF-8 that an extract writes, and not those that MySQL stores: a € in latin1 is one byte there.
No value of the declared type needs more, whatever becomes of it on its way; text that no VARCHAR has room for is lost
by its column's policy before it is written.
"""

from pymysql.constants import FIELD_TYPE

from etl.findings import LONGEST_TEXT

# A NUL character and a byte that is not UTF-8 are one byte, and U+FFFD, which takes their place, is three.
_LOST = 3
_SHORT = frozenset({
    "armscii8", "ascii", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932", "dec8",
    "eucjpms", "euckr", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1",
    "latin2", "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf8", "utf8mb3",
})  # fmt: skip
# TIME has up to 838 hours, which are 3,020,399 seconds.
_DIGITS_OF_SECONDS = 7
# The widest that MySQL shows a number: INT(255) ZEROFILL. Dates and times are shorter.
_WIDEST_NUMBER = 255
# -838:59:59.999999
_WIDEST_TIME = 17
_STRINGS = (FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR)


def of_bytes(size: int) -> str:
    # MySQL has a VARCHAR(0), and no warehouse does.
    return f"VARCHAR({min(max(size, 1), LONGEST_TEXT)})"


LONGEST = of_bytes(LONGEST_TEXT)
UUID = of_bytes(36)
INET4 = of_bytes(15)
INET6 = of_bytes(39)
NUMBER_AS_TEXT = of_bytes(_WIDEST_NUMBER)
TIME_AS_TEXT = of_bytes(_WIDEST_TIME)


def of_text(characters: int | None, octets: int | None, charset: str | None) -> str:
    """Of CHAR, VARCHAR, ENUM, SET and the TEXTs, by what information_schema says of them.

    Characters take three bytes at most, and four where the character set has all of Unicode or is not known here.
    """
    if characters is None or octets is None:
        return LONGEST
    return of_bytes(min(characters * (3 if charset in _SHORT else 4), octets * _LOST))


def of_raw_text(octets: int | None) -> str:
    """Of bytes that are taken for UTF-8, all of which may be none."""
    return LONGEST if octets is None else of_bytes(octets * _LOST)


def of_hex(octets: int | None) -> str:
    return LONGEST if octets is None else of_bytes(octets * 2)


def of_decimal(precision: int | None, scale: int | None) -> str:
    return "" if precision is None else f"DECIMAL({precision},{scale or 0})"


def of_seconds(fraction: int) -> str:
    return of_decimal(_DIGITS_OF_SECONDS + fraction, fraction)


def of_wire_decimal(length: int, decimals: int, unsigned: bool) -> str:
    """From the field description of a result, whose length counts the point and the sign."""
    precision = length - (decimals > 0) - (not unsigned)
    return of_decimal(precision, decimals) if precision > 0 else ""


def of_wire_text(code: int, length: int, binary: bool) -> str:
    """From the field description of a result.

    Of bytes nothing is known: in CONCAT or ELT of text and bytes the server takes a character for one byte, and says
    too little. A length of 0 is what it says of NULL.
    """
    return of_bytes(length) if code in _STRINGS and length and not binary else LONGEST
