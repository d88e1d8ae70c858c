"""What luigid counts of tasks, for Prometheus at its /metrics:

[scheduler]
metrics_collector = custom
metrics_custom_import = etl.luigid_metrics.Collector
"""

import copy
from typing import Any

from luigi.contrib.prometheus_metric import PrometheusMetricsCollector


class Collector(PrometheusMetricsCollector):  # type: ignore[misc]
    """Luigi's own, which answers with an error where a task fails or is disabled that was not seen to begin: of a run
    that goes on after luigid was restarted, say. Such a task is counted, and took no time.
    """

    def handle_task_failed(self, task: Any) -> None:
        super().handle_task_failed(_begun(task))

    def handle_task_disabled(self, task: Any, config: Any) -> None:
        super().handle_task_disabled(_begun(task), config)


def _begun(task: Any) -> Any:
    if task.time_running is not None:
        return task
    told = copy.copy(task)
    told.time_running = told.updated
    return told
