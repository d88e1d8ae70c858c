"""The chart of a run's tasks: where each bar begins and how long it is, in per cent of the run."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from etl.ledger import Run, TaskRun
from etl.run_report.critical import ended, last_word

# So many bars are seen at once; the others, of tasks that are done and were short, unfold.
_AT_ONCE = 60

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_TICKS = 5
# From here on the time of day says more than the seconds since the run began.
_BY_THE_CLOCK = 900


@dataclass(frozen=True)
class Bar:
    """`left`, `width` and the begin of the wait before it, `waits`, are in per cent."""

    task: TaskRun
    state: str
    seconds: float
    left: float
    width: float
    waits: float | None
    critical: bool


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    folded: list[Bar]
    ticks: list[tuple[float, str]]


def chart(run: Run, waits: dict[str, float], zone: tzinfo) -> Chart:
    """Sorted by begin. `waits` are the seconds that each task of the critical path waited."""
    end = max([last_word(run), *(ended(run, task) for task in run.tasks.values() if task.began)])
    span = max(end - run.began, 0.001)

    def place(moment: float) -> float:
        return round(100 * min(1.0, max(0.0, (moment - run.began) / span)), 3)

    bars = []
    for task in sorted((task for task in run.tasks.values() if task.began), key=lambda one: (one.began, one.name)):
        assert task.began
        left, stop = place(task.began), place(ended(run, task))
        waited = waits.get(task.name)
        bars.append(
            Bar(
                task=task,
                state=shown_state(run, task),
                seconds=ended(run, task) - task.began,
                left=left,
                width=round(stop - left, 3),
                waits=place(task.began - waited) if waited else None,
                critical=waited is not None,
            )
        )
    seen = _seen(bars)
    return Chart(
        [bar for bar in bars if bar.task.name in seen],
        [bar for bar in bars if bar.task.name not in seen],
        _ticks(run.began, span, zone),
    )


def shown_state(run: Run, task: TaskRun) -> str:
    """As the ledger has it, but for what was running when the run ended: it was cut off."""
    return "cut off" if task.state == "running" and run.state != "running" else task.state


def _seen(bars: list[Bar]) -> Collection[str]:
    def worth(bar: Bar) -> tuple[bool, bool, float]:
        return bar.state != "done", bar.critical, bar.seconds

    return {bar.task.name for bar in sorted(bars, key=worth, reverse=True)[:_AT_ONCE]}


def _ticks(began: float, span: float, zone: tzinfo) -> list[tuple[float, str]]:
    step = next((step for step in _STEPS if span / step <= _TICKS), _STEPS[-1])
    offset = 0.0
    if span >= _BY_THE_CLOCK:
        # At full minutes and hours of the day, not of the run.
        at = datetime.fromtimestamp(began, zone)
        since_midnight = (at - at.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(seconds=1)
        offset = -since_midnight % step
    moments = [offset + number * step for number in range(int((span - offset) / step) + 1)]
    return [(round(100 * moment / span, 3), _label(began, moment, span, zone)) for moment in moments if moment <= span]


def _label(began: float, moment: float, span: float, zone: tzinfo) -> str:
    if span >= _BY_THE_CLOCK:
        return f"{datetime.fromtimestamp(began + moment + 0.5, zone):%H:%M}"
    if span >= 120:
        return f"{moment / 60:g} min"
    return f"{round(moment, 3):g} s"
