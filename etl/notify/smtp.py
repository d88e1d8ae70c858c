"""By mail: plain text, to everybody in [notify] to. Messages of one story are one thread."""

import contextlib
import ipaddress
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import SplitResult, unquote, urlsplit

from etl import config
from etl.errors import EtlError
from etl.notify.message import Message


def send(settings: config.Notify, message: Message) -> None:
    """Give the mail to the server: over TLS where it offers it, and only so where there is a password or `smtps`.

    Its certificate is always checked. A server on this machine that asks for no password is talked to in the clear.
    """
    url = urlsplit(settings.smtp)
    try:
        with _connected(url, settings.timeout) as server:
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            refused = server.send_message(_mail(settings, message))
    except ssl.SSLCertVerificationError as error:
        raise EtlError(
            f"its certificate is not trusted: {error.verify_message}; "
            "a CA of your own goes into the file that the environment variable SSL_CERT_FILE names"
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        # Its text may quote what was sent.
        raise EtlError(f"it refused user and password ({error.smtp_code}); look at [notify] smtp") from None
    except UnicodeEncodeError:
        # It quotes what it could not encode. All else of a mail may be in any script.
        raise EtlError("user and password, and addresses where the server knows no SMTPUTF8, must be ASCII") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise EtlError(_refused(error.recipients)) from None
    except smtplib.SMTPResponseException as error:
        raise EtlError(f"it answered {error.smtp_code} {_text(error.smtp_error)}") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise EtlError(str(error) or type(error).__name__) from None
    if refused:
        raise EtlError(f"{_refused(refused)}; the others have it")


def _connected(url: SplitResult, timeout: int) -> contextlib.AbstractContextManager[smtplib.SMTP]:
    assert url.hostname
    checked = ssl.create_default_context()
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(url.hostname, url.port or 465, timeout=timeout, context=checked)
    server = smtplib.SMTP(url.hostname, url.port or (587 if url.username else 25), timeout=timeout)
    try:
        server.ehlo_or_helo_if_needed()
        if url.username or not _is_here(url.hostname):
            if server.has_extn("starttls"):
                server.starttls(context=checked)
            elif url.username:
                raise EtlError("it offers no TLS, and without it no password is sent")
    except BaseException:
        server.close()
        raise
    return server


def _mail(settings: config.Notify, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.sender, settings.to, message.headline
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = _id(message.run)
    if message.story != message.run:
        mail["In-Reply-To"] = mail["References"] = _id(message.story)
    # So that nobody's absence answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.headline}\n\n{message.text}\n")
    return mail


def _id(run: str) -> str:
    return f"<{run}@{socket.gethostname() or 'localhost'}>"


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(recipients: dict[str, tuple[int, bytes]]) -> str:
    return "it refused " + "; ".join(f"{name}: {code} {_text(why)}" for name, (code, why) in recipients.items())


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
