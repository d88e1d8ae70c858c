"""What people looked at, as against what they bought: searches and campaign e-mails. Pure, as `demo.business` is."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from demo import words
from demo.business import Business
from demo.draw import HOUR, SECOND, chunks, micros, moments, money, pick, sprinkle

DAYS = 5  # searches and campaign results are kept for the last five days only

EMAIL_COLUMNS = (
    "message_id", "campaign", "user_id", "event_id", "sent_at", "opened_at", "clicked_at", "bounced", "revenue",
)  # fmt: skip

_ABSENT = object()


def days(business: Business) -> list[date]:
    return [business.day - timedelta(days=back) for back in reversed(range(DAYS))]


def searches(business: Business) -> Iterator[list[dict[str, Any]]]:
    """Search documents in the order of time; a field that a search does not have is absent from its document."""
    rows = business.sized(8_000)
    clock = business.clock(DAYS)
    # Somebody who searches does so about three times in a sitting, under one session; most are not signed in.
    sittings = rows // 3 + 20
    draw = business.stream("sittings")
    users = business.customers(draw, np.full(sittings, clock.start))
    users[draw.random(sittings) < 0.6] = 0
    for low, high in chunks(rows, 5_000):
        draw, size = business.stream("searches", low), high - low
        numbers = np.arange(low, high)
        when = clock.at((numbers + draw.random(size)) / rows) // 1000 * 1000
        sitting = numbers // 60 * 20 + draw.integers(0, 20, size)
        categories = [name for name, _, _ in words.CATEGORIES]
        queries = [
            form.format(act=act.lower(), city=city[0])
            for form, act, city in zip(
                pick(draw, words.SEARCH_FORMS, size),
                pick(draw, words.ACTS, size),
                pick(draw, words.CITIES, size, [city[-1] for city in words.CITIES]),
                strict=True,
            )
        ]
        category: list[Any] = sprinkle(draw, pick(draw, categories, size), (_ABSENT,), 0.35)
        several = [[first, second] for first in categories for second in categories if first < second]
        clicked: list[Any] = (business.upcoming(draw, when) + 1).tolist()
        limit: list[Any] = (draw.integers(2, 60, size) * 10).astype(float).tolist()
        table = zip(
            [f"s-{at:%Y%m%d}-{number:07d}" for at, number in zip(moments(when), numbers.tolist(), strict=True)],
            [user or _ABSENT for user in users[sitting].tolist()],
            [f"{number * 2654435761 % 2**32:08x}" for number in sitting.tolist()],
            sprinkle(draw, queries, words.SEARCH_DIRT, 0.05),
            sprinkle(draw, category, (*several, []), 0.2),
            sprinkle(draw, clicked, (_ABSENT,), 0.85),
            (draw.pareto(0.9, size) * 3).clip(max=10_000).astype(int).tolist(),
            (draw.lognormal(3.2, 0.7, size).astype(int) + 1).tolist(),
            sprinkle(draw, sprinkle(draw, limit, (_ABSENT,), 0.5), (None, "80", "120.50"), 0.25),
            [f"{moment.isoformat(timespec='milliseconds')}Z" for moment in moments(when)],
            strict=True,
        )
        fields = (
            "search_id", "user_id", "session", "query", "category", "event_clicked", "results", "took_ms",
            "price_max", "searched_at",
        )  # fmt: skip
        yield [
            {field: value for field, value in zip(fields, row, strict=True) if value is not _ABSENT} for row in table
        ]


def emails(business: Business, mailer: str, sent_on: date) -> Iterator[list[tuple[Any, ...]]]:
    """One mailer's results of the e-mails of one day, in the order they were sent and of `EMAIL_COLUMNS`.

    A bounced e-mail is not opened, one that was not opened is not clicked, and only a click earns revenue.
    """
    rows = business.sized(1_000)
    for low, high in chunks(rows):
        draw, size = business.stream(f"emails of {mailer}", sent_on.toordinal(), low), high - low
        # Campaigns go out in the morning, at an even pace.
        sent = micros(sent_on) + 8 * HOUR + ((np.arange(low, high) + draw.random(size)) / rows * 4 * HOUR).astype(int)
        sent = sent // SECOND * SECOND
        opened = sent + (draw.exponential(3 * HOUR, size)).astype(int) // SECOND * SECOND + SECOND
        clicked = opened + (draw.exponential(HOUR / 10, size)).astype(int) // SECOND * SECOND + SECOND
        bounced = draw.random(size) < 0.02
        was_opened = (draw.random(size) < 0.35) & ~bounced & (opened < business.end)
        was_clicked = (draw.random(size) < 0.2) & was_opened & (clicked < business.end)
        earned = (draw.random(size) < 0.15) & was_clicked
        cents = (draw.lognormal(9.2, 0.6, size)).astype(int)
        users = business.customers(draw, sent).tolist()
        events = (business.upcoming(draw, sent) + 1).tolist()
        campaigns = pick(draw, words.CAMPAIGNS, size, (30, 25, 10, 10, 10, 10, 5))
        yield list(
            zip(
                [f"{mailer}-{sent_on:%Y%m%d}-{number:07d}" for number in range(low, high)],
                campaigns,
                sprinkle(draw, users, (None,), 0.05),
                sprinkle(draw, events, (None,), 0.3),
                moments(sent),
                _where(was_opened, moments(opened)),
                _where(was_clicked, moments(clicked)),
                bounced.tolist(),
                _where(earned, money(cents)),
                strict=True,
            )
        )


def _where(present: np.ndarray, values: list[Any]) -> list[Any]:
    return [value if there else None for there, value in zip(present.tolist(), values, strict=True)]
