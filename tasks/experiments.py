"""dim_experiment and fact_experiment_day: Sixpack's A/B tests, and the mart of their results.

Sixpack's days are its server's local days, and numbers of past days can change, so `[sixpack] window_days` are read
again each night. Nothing is deleted here when a key disappears there: archiving and deleting forget at the source.
"""

from etl.load import BaseLoader
from etl.mart import Mart
from etl.sources.sixpack import SixpackAssignmentExtractor, SixpackExperimentExtractor, SixpackExtractor
from tasks.dates import dim_date


class ExtractExperiments(SixpackExperimentExtractor):
    pass


class ExtractExperimentDays(SixpackExtractor):
    pass


class ExtractAssignments(SixpackAssignmentExtractor):
    pass


class LoadExperiments(BaseLoader):
    extractor = ExtractExperiments
    table = "dim_experiment"
    strategy = "scd1"
    key = ("experiment", "created_at")
    sql = "dim_experiment.sql"


class LoadExperimentDays(BaseLoader):
    table = "fact_experiment_day"
    strategy = "upsert"
    key = ("date_key", "experiment_key", "alternative", "kpi")
    sql = "fact_experiment_day.sql"

    def requires(self):
        return [ExtractExperimentDays(date=self.date), LoadExperiments(date=self.date), dim_date()]


class LoadAssignments(BaseLoader):
    """Client by client, while it can still be read: archiving an experiment deletes its clients' ids for ever."""

    extractor = ExtractAssignments
    schema = "raw"
    table = "experiment_assignment"
    strategy = "upsert"
    key = ("experiment", "created_at", "client_id", "alternative")
    sql = "experiment_assignment.sql"


class ExperimentResults(Mart):
    table = "experiment_results"
    key = ("experiment_key", "alternative", "kpi")

    def requires(self):
        return LoadExperimentDays(date=self.date)
