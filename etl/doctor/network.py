"""Whether anybody listens at an address, found out in seconds; how far the clocks are apart; what TLS is needed."""

import datetime
import ipaddress
import socket
import time

from etl.doctor.finding import FAILED, OK, WARNING, Finding

_SECONDS = 4
_MOST_APART = 5.0


def unreachable(section: str, host: str, port: int) -> Finding | None:
    """A finding where no connection can be had; a driver would take longer to say so, or try again."""
    where = f"{host}:{port}"
    setting = f"[{section}] url" if section not in ("lake", "s3_source") else f"[{section}] endpoint_url"
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except socket.gaierror:
        return Finding(section, "connection", FAILED, f"there is no host {host}", f"mend the name in {setting}")
    except TimeoutError:
        said = f"{where} does not answer within {_SECONDS} s"
        return Finding(section, "connection", FAILED, said, f"open the firewall from here to it, or mend {setting}")
    except OSError as error:
        said = f"{where} cannot be reached: {error.strerror or error}"
        return Finding(section, "connection", FAILED, said, f"start the server, or mend {setting}")
    return None


def is_here(host: str | None) -> bool:
    """Whether what is sent to a host stays on this machine."""
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls(section: str, host: str, encrypted: bool, demanded: bool, remedy: str) -> Finding:
    """`encrypted` is what the connection is, `demanded` whether we would refuse another."""
    if encrypted and demanded:
        return Finding(section, "tls", OK, "the connection is encrypted")
    if is_here(host):
        return Finding(section, "tls", OK, f"no TLS is needed: {host} is this machine")
    if encrypted:
        said = "the connection is encrypted, but we would take one that is not"
        return Finding(section, "tls", WARNING, said, remedy)
    return Finding(
        section, "tls", WARNING, f"no TLS: passwords and rows cross the network to {host} as they are", remedy
    )


def clock(section: str, theirs: float, asked: float) -> Finding:
    """`theirs` is the server's clock in seconds since 1970, asked for from `asked` on by ours."""
    now = time.time()
    # It was read at some moment between the two.
    apart = theirs - now if theirs > now else min(0.0, theirs - asked)
    if abs(apart) <= _MOST_APART:
        return Finding(section, "clock", OK, "its clock and ours agree")
    which = "ahead of" if apart > 0 else "behind"
    by = datetime.timedelta(seconds=round(abs(apart)))
    remedy = "let both hosts follow one NTP server: timedatectl set-ntp true"
    return Finding(section, "clock", WARNING, f"its clock is {by} {which} this host's", remedy)
