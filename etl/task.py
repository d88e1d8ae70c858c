"""What every task of the pipeline shares: an optional business date, and a key that says which work it is."""

import datetime
import json

import luigi
from luigi.parameter import OptionalParameterMixin, _no_value

from etl import config
from etl.errors import DataError, EtlError


class OptionalDateParameter(OptionalParameterMixin, luigi.DateParameter):  # type: ignore[misc]
    expected_type = datetime.date


class EtlTask(luigi.Task):
    date = OptionalDateParameter(default=None, description="the business day; tasks that know no days leave it out")

    def task_key(self) -> str:
        """Names this work for ever: the family, and the parameters that differ from their default in code.

        So a parameter added later, with a default, makes no old work look undone. `date` is written whenever
        it is set: its default in code may be the clock's.
        """
        said = {
            name: parameter.serialize(getattr(self, name))
            for name, parameter in self.get_params()
            if parameter.significant and getattr(self, name) != (None if name == "date" else _default(parameter))
        }
        return f"{self.get_task_family()} {json.dumps(said, sort_keys=True)}"

    def check_date(self) -> None:
        """Raise DataError for a business day that has not begun in the business's own zone."""
        today = datetime.datetime.now(config.timezone()).date()
        if self.date and self.date > today:
            raise DataError(
                f"{self.get_task_family()}: date {self.date} is in the future, today is {today} in "
                f"{config.etl().timezone}; give a day that has begun"
            )

    def on_failure(self, exception: BaseException) -> str:
        """What luigid shows: the message alone where a person can act upon it, the trace for a bug."""
        return str(exception) if isinstance(exception, EtlError) else super().on_failure(exception)


def _default(parameter: luigi.Parameter) -> object:
    """As a task sees it: the default of a list is written as a list and arrives as a tuple."""
    default = parameter._default
    return default if default is _no_value else parameter.normalize(default)
