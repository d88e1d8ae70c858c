"""How a message is sent: to real servers, and to servers that refuse, hang and lie."""

import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import luigi.configuration
import luigi.notifications
import pytest
from click.testing import CliRunner

from etl import config, notify
from etl.cli import main
from etl.errors import ConfigError
from etl.notify import Message
from tests.notified import PASSWORD, USER, Hook, Mailbox

pytest_plugins = ["tests.notified"]

HELLO = Message("failed", "FAILED Nightly: Café 🎟️", "dim_venue: 41 rows where 42 are listed", "run-2", "run-1")
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"


def by(**written: object) -> config.Notify:
    return config.Notify(**{"sender": "Etl Ünit <etl@example.com>", "to": "a@example.com, b@example.com"} | written)  # type: ignore[arg-type]


def error(settings: config.Notify, message: Message = HELLO) -> str:
    (sent,) = notify.send(message, settings)
    return sent.error


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_mail_arrives_as_it_was_written(mailbox: Mailbox) -> None:
    assert error(by(smtp=f"smtp://127.0.0.1:{mailbox.port}")) == ""
    (mail,) = mailbox.mails
    assert mail["Subject"] == HELLO.headline
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["From"] == "Etl Ünit <etl@example.com>"
    assert mail.get_content().replace("\r\n", "\n") == f"{HELLO.headline}\n\n{HELLO.text}\n"
    assert mail.get_content_type() == "text/plain"


def test_mails_of_one_story_are_one_thread(mailbox: Mailbox) -> None:
    first = Message("failed", "FAILED", "", "run-1", "run-1")
    settings = by(smtp=f"smtp://127.0.0.1:{mailbox.port}")
    assert [error(settings, first), error(settings, HELLO)] == ["", ""]
    begun, follows = mailbox.mails
    assert begun["In-Reply-To"] is None
    assert follows["In-Reply-To"] == begun["Message-ID"] != follows["Message-ID"]


def test_a_subject_makes_no_header(mailbox: Mailbox) -> None:
    evil = Message("failed", "FAILED\r\nBcc: everybody@example.com", "", "run-1", "run-1")
    assert "linefeed" in error(by(smtp=f"smtp://127.0.0.1:{mailbox.port}"), evil)
    assert not mailbox.mails


def test_a_password_goes_over_tls_and_is_taken(guarded: Mailbox, trusted: Path) -> None:
    assert error(by(smtp=f"smtp://{LOGIN}@127.0.0.1:{guarded.port}")) == ""
    assert guarded.over == [(True, True)]


def test_a_certificate_that_nobody_vouches_for_is_refused(guarded: Mailbox) -> None:
    said = error(by(smtp=f"smtp://{LOGIN}@127.0.0.1:{guarded.port}"))
    assert "its certificate is not trusted" in said and "SSL_CERT_FILE" in said
    assert not guarded.mails


def test_a_certificate_of_another_host_is_refused(misnamed: Mailbox, trusted: Path) -> None:
    assert "certificate is not valid for '127.0.0.1'" in error(by(smtp=f"smtp://{LOGIN}@127.0.0.1:{misnamed.port}"))
    assert not misnamed.mails


def test_a_password_is_not_sent_in_the_clear(unguarded: Mailbox) -> None:
    assert error(by(smtp=f"smtp://{LOGIN}@127.0.0.1:{unguarded.port}")).startswith("it offers no TLS")
    assert not unguarded.mails


def test_a_wrong_password_is_said_and_not_shown(guarded: Mailbox, trusted: Path) -> None:
    said = error(by(smtp=f"smtp://etl:hush-hush@127.0.0.1:{guarded.port}"))
    assert said == "it refused user and password (535); look at [notify] smtp"


def test_a_password_that_smtplib_cannot_send_is_not_shown(guarded: Mailbox, trusted: Path) -> None:
    said = error(by(smtp=f"smtp://etl:h%C3%BCsh@127.0.0.1:{guarded.port}"))
    assert "must be ASCII" in said and "xfc" not in said and "ü" not in said


def test_a_recipient_who_is_refused_is_named_and_the_others_have_it(mailbox: Mailbox) -> None:
    mailbox.refuses = {"b@example.com"}
    said = error(by(smtp=f"smtp://127.0.0.1:{mailbox.port}"))
    assert said == "it refused b@example.com: 550 no such mailbox; the others have it"
    assert len(mailbox.mails) == 1


def test_slack_is_sent_what_calls_nobody_and_breaks_no_format(hook: Hook) -> None:
    evil = Message("failed", "FAILED `x` <!here>", "<!channel> ``` *a* & @here\nb", "run-1", "run-1")
    assert error(by(webhook=hook.url), evil) == ""
    (posted,) = hook.posted
    assert posted == {"text": "`FAILED 'x' &lt;!here&gt;`\n```\n&lt;!channel&gt; ''' *a* &amp; @here\nb\n```"}


def test_an_answer_that_is_no_yes_is_told_without_the_address(hook: Hook) -> None:
    hook.answers = (500, {}, f"no_service at {hook.url}".encode())
    said = error(by(webhook=hook.url))
    assert said.startswith("it answered 500 no_service at ")
    assert "s3cret" not in said


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.answers = (302, {"Location": hook.url}, b"")
    assert error(by(webhook=hook.url)).startswith("it answered 302")
    assert len(hook.posted) == 1


def test_a_command_gets_the_text_and_what_is_to_be_known(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib;"
        "told = [os.environ[f'ETL_RUN_{key}'] for key in ('STATE', 'ID', 'HEADLINE')];"
        f"pathlib.Path({str(tmp_path / 'told')!r}).write_text('|'.join(told) + '|' + sys.stdin.read())"
    )
    assert error(by(command=python(code))) == ""
    text = f"failed|run-2|{HELLO.headline}|{HELLO.headline}\n\n{HELLO.text}\n"
    assert (tmp_path / "told").read_text() == text


def test_a_command_that_reads_nothing_has_still_done_it() -> None:
    assert error(by(command="true"), Message("failed", "x", "y" * 1_000_000, "1", "1")) == ""


def test_a_command_that_fails_or_is_not_there_is_told() -> None:
    assert error(by(command="false")) == "it left with exit code 1"
    assert "No such file" in error(by(command="/nowhere/page-me --team data"))


def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    left = tmp_path / "left"
    said = error(by(command=f"sh -c '(sleep 3; touch {left}) & sleep 3'", timeout=1))
    assert said == "it was still at work after 1 s, and was killed"
    assert not left.exists()


def test_nobody_waits_for_one_who_hangs(silent: int, hook: Hook, nobody: int) -> None:
    began = time.monotonic()
    settings = by(smtp=f"smtp://127.0.0.1:{silent}", webhook=hook.url, command="true", timeout=1)
    mail, webhook, command = notify.send(HELLO, settings)
    assert time.monotonic() - began < 5
    assert mail.way == f"mail to a@example.com, b@example.com by 127.0.0.1:{silent}"
    assert "timed out" in mail.error
    assert (webhook.way, webhook.error) == (f"webhook at {hook.url.split('/')[2]}", "")
    assert (command.way, command.error) == ("command true", "")
    assert len(hook.posted) == 1


@pytest.mark.parametrize("written", ["smtp://127.0.0.1:{}", "smtps://127.0.0.1:{}"])
def test_a_mail_server_that_is_down(nobody: int, written: str) -> None:
    assert "Connection refused" in error(by(smtp=written.format(nobody)))


def test_a_webhook_that_is_down_or_silent(nobody: int, silent: int) -> None:
    assert "Connection refused" in error(by(webhook=f"http://127.0.0.1:{nobody}/services/s3cret"))
    assert "timed out" in error(by(webhook=f"http://127.0.0.1:{silent}/services/s3cret", timeout=1))


def test_a_test_message_goes_to_all_and_says_who_took_it(mailbox: Mailbox, hook: Hook, settings: Any) -> None:
    for key, value in (("smtp", f"smtp://127.0.0.1:{mailbox.port}"), ("sender", "e@example.com"), ("to", "a@x.com")):
        settings.set("notify", key, value)
    settings.set("notify", "webhook", hook.url)
    done = CliRunner().invoke(main, ["notify", "--test"])
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"mail to a@x.com by 127.0.0.1:\d+: sent\nwebhook at 127.0.0.1:\d+: sent\n", done.output)
    assert str(mailbox.mails[0]["Subject"]).startswith("TEST of Turnstile on ")
    hook.answers = (404, {}, b"no_team")
    done = CliRunner().invoke(main, ["notify", "--test"])
    assert done.exit_code == 30
    assert "it answered 404 no_team" in done.output


def test_a_test_message_to_nobody_says_where_they_are_named(settings: Any) -> None:
    done = CliRunner().invoke(main, ["notify", "--test"], standalone_mode=True)
    assert done.exit_code == 2
    assert "[notify] names nobody" in done.output


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"when": "allways"}, "[notify] when = allways: write failure, recovery or always"),
        ({"smtp": "smtp://mail"}, "[notify] smtp: mail needs a sender and to besides"),
        ({"smtp": "mail.example.com", "sender": "a@b", "to": "c@d"}, "[notify] smtp: cannot be read"),
        ({"smtp": "smtp://u:s3#cret@mail", "sender": "a@b", "to": "c@d"}, "[notify] smtp: cannot be read"),
        ({"webhook": "hooks.slack.com/services/s3cret"}, "[notify] webhook: cannot be read"),
    ],
)
def test_settings_that_say_nothing_are_found_before_the_night_and_show_no_secret(
    settings: Any, written: dict[str, str], said: str
) -> None:
    for key, value in written.items():
        settings.set("notify", key, value)
    with pytest.raises(ConfigError) as caught:
        config.check()
    assert str(caught.value).startswith(said)
    assert "s3" not in str(caught.value)


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    assert "s3cret" not in repr(by(smtp="smtp://u:s3cret@mail", webhook="https://hooks/s3cret"))


def test_luigi_itself_sends_nothing_whoever_its_receiver_is(mailbox: Mailbox, settings: Any) -> None:
    parser = luigi.configuration.get_config()
    parser.read([str(Path(config.__file__).parents[1] / "luigi.cfg")])
    for section, key, value in (
        ("email", "receiver", "a@example.com"),
        ("email", "force_send", "true"),
        ("smtp", "host", "127.0.0.1"),
        ("smtp", "port", mailbox.port),
    ):
        settings.set(section, key, value)
    luigi.notifications.send_error_email("a task failed", "its trace")
    assert not mailbox.mails
