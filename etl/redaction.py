"""What is shown has no password: not one of a URL that a library of somebody else's quotes in its message either."""

import re

_IN_A_URL = re.compile(r"(://[^\s/:@]*):[^\s/@]+@")


def redacted(text: str) -> str:
    return _IN_A_URL.sub(r"\1:…@", text)
