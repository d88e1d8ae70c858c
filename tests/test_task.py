"""The key that names a task's work for ever, and the business day."""

import datetime
from zoneinfo import ZoneInfo

import luigi
import pytest

from etl.errors import DataError
from etl.task import EtlTask

DAY = datetime.date(2014, 2, 3)


def of_family(name: str, /, **members: object) -> type[EtlTask]:
    """A task class of that family, as a later version of the code may define it anew."""
    return type(name, (EtlTask,), members | {"task_namespace": ""})


def test_a_task_without_parameters():
    assert of_family("Load")().task_key() == "Load {}"


def test_the_date_is_written_when_it_is_set():
    assert of_family("Load")(date=DAY).task_key() == 'Load {"date": "2014-02-03"}'


def test_the_date_is_written_even_where_it_is_the_default_in_code():
    """A default of today would otherwise give every day the same key, and only the first would be loaded."""
    load = of_family("Load", date=luigi.DateParameter(default=DAY))
    assert load().task_key() == load(date=DAY).task_key() == 'Load {"date": "2014-02-03"}'


def test_parameters_are_sorted_and_as_luigi_writes_them():
    load = of_family("Load", zone=luigi.Parameter(), end=luigi.IntParameter(), all=luigi.BoolParameter())
    key = load(date=DAY, zone="é", end=2049, all=True).task_key()
    assert key == 'Load {"all": "True", "date": "2014-02-03", "end": "2049", "zone": "\\u00e9"}'


@pytest.mark.parametrize(
    "later",
    [
        luigi.Parameter(default="x"),
        luigi.IntParameter(default=0),
        luigi.BoolParameter(),
        luigi.ListParameter(default=["a", {"b": [1]}]),
        luigi.DictParameter(default={"a": [1, 2]}),
        luigi.TupleParameter(default=[(1, 2)]),
        luigi.OptionalParameter(default=None),
        luigi.DateParameter(default=DAY),
        luigi.DateSecondParameter(default=datetime.datetime(2014, 2, 3, 4, 5, 6, 7)),
    ],
    ids=lambda parameter: type(parameter).__name__,
)
def test_a_parameter_added_later_with_a_default_changes_nothing(later):
    before = of_family("Load", table=luigi.Parameter())(table="t", date=DAY).task_key()
    assert of_family("Load", table=luigi.Parameter(), added=later)(table="t", date=DAY).task_key() == before


def test_a_value_other_than_the_default_is_written():
    load = of_family("Load", names=luigi.ListParameter(default=["a"]), size=luigi.IntParameter(default=1))
    assert load(names=["b"], size=2).task_key() == 'Load {"names": "[\\"b\\"]", "size": "2"}'


def test_a_parameter_without_default_is_always_written():
    load = of_family("Load", day=luigi.DateParameter(), name=luigi.Parameter())
    assert load(day=DAY, name="").task_key() == 'Load {"day": "2014-02-03", "name": ""}'


def test_an_insignificant_parameter_is_not_part_of_the_work():
    load = of_family("Load", speed=luigi.IntParameter(significant=False))
    assert load(speed=9).task_key() == "Load {}"


def test_a_default_in_luigi_cfg_is_written(settings):
    """Only the constant in code may be left out: a setting can change while old work stays done."""
    settings.set("LoadConfigured", "size", "5")
    load = of_family("LoadConfigured", size=luigi.IntParameter(default=1))
    assert load().task_key() == 'LoadConfigured {"size": "5"}'


def test_the_namespace_is_part_of_the_family():
    named = type("Load", (EtlTask,), {"task_namespace": "partner"})
    assert named().task_key() == "partner.Load {}"


def test_the_date_is_optional_and_never_the_clocks():
    assert of_family("Load")().date is None
    assert dict(EtlTask.get_params())["date"]._default is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_that_has_not_begun_in_the_business_is_refused(settings, zone):
    """The two zones are 25 hours apart, so that at any moment one of them has another day than the host."""
    settings.set("etl", "timezone", zone)
    today = datetime.datetime.now(ZoneInfo(zone)).date()
    load = of_family("Load")
    load(date=today).check_date()
    load(date=today - datetime.timedelta(days=1)).check_date()
    load().check_date()
    tomorrow = today + datetime.timedelta(days=1)
    with pytest.raises(DataError, match=f"Load: date {tomorrow} is in the future, today is {today} in {zone}"):
        load(date=tomorrow).check_date()


def test_luigid_is_shown_the_message_of_an_etl_error_and_the_trace_of_a_bug():
    task = of_family("Load")()
    assert task.on_failure(DataError("fact_x: 1 row, 2 expected")) == "fact_x: 1 row, 2 expected"
    try:
        raise KeyError("bug")
    except KeyError as bug:
        assert "Traceback" in task.on_failure(bug)
