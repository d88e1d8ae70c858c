"""The critical path: the chain of tasks that determined when a run ended.

It is read from what happened, backwards: the task that ended last, of the tasks that it needs the one that ended last,
and so on. Every other task could have taken longer without the run's ending later, up to that moment.
"""

from dataclasses import dataclass

from etl.ledger import Run, TaskRun


@dataclass(frozen=True)
class Step:
    """A task on the path, and how long it `waited` after what it needs had ended: for a free worker, mostly."""

    task: TaskRun
    waited: float
    seconds: float


def last_word(run: Run) -> float:
    """When the run ended; of one that has no end, when it was heard of for the last time."""
    return run.ended or run.began + run.seconds


def ended(run: Run, task: TaskRun) -> float:
    """When a task that began ended; one that never did is cut off where the run is."""
    return task.ended or max(last_word(run), task.began or 0.0)


def critical_path(run: Run) -> list[Step]:
    """In the order of time. Waits and tasks, and what follows the last of them, add up to the run's time."""
    ran = {name: task for name, task in run.tasks.items() if task.began}
    chain: list[TaskRun] = []
    candidates = list(ran)
    while candidates:
        name = max(candidates, key=lambda one: (ended(run, ran[one]), ran[one].began, one))
        chain.append(ran.pop(name))
        candidates = [need for need in chain[-1].needs if need in ran]
    steps, before = [], run.began
    for task in reversed(chain):
        assert task.began
        end = ended(run, task)
        steps.append(Step(task, max(0.0, task.began - before), end - task.began))
        before = end
    return steps
