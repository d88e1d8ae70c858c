"""A finding: what was looked at, what was found there, and the one next step where it is not as it should be."""

from dataclasses import asdict, dataclass

from etl.errors import EtlError

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True)
class Finding:
    """`failed` is what would end a night or a part of it; `warning` what would not, and somebody should look at."""

    subject: str
    check: str
    state: str
    found: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def of_error(subject: str, check: str, error: EtlError) -> Finding:
    """Our own errors end with the next step."""
    found, _, remedy = str(error).rpartition("; ")
    if not found:
        found, remedy = remedy, f"look at [{subject}] in luigi.cfg, or into the server's own log"
    return Finding(subject, check, FAILED, found, remedy)
