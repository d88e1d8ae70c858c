"""Settings: what is read, and what a person is told when one is wrong."""

import dataclasses
from pathlib import Path
from zoneinfo import ZoneInfo

import luigi.configuration
import pytest
from luigi.configuration import LuigiConfigParser

from etl import config
from etl.errors import ConfigError


def message(read) -> str:
    with pytest.raises(ConfigError) as caught:
        read()
    return str(caught.value)


def test_a_section_that_is_not_there_has_its_defaults(settings):
    assert config.sixpack() == config.Sixpack(prefix="sxp", window_days=0)
    assert config.calendar() == config.Calendar(country="US", fiscal_year_start=1)


def test_written_values_win_and_numbers_are_numbers(settings):
    settings.set("lake", "url", "s3://lake/prefix")
    settings.set("lake", "part_mb", " 64 ")
    assert config.lake() == config.Lake(url="s3://lake/prefix", part_mb=64)


def test_settings_are_read_when_they_are_asked_for(settings):
    settings.set("sixpack", "prefix", "one")
    assert config.sixpack().prefix == "one"
    settings.set("sixpack", "prefix", "two")
    assert config.sixpack().prefix == "two"


def test_an_unknown_setting_is_named_with_its_section_and_what_the_section_takes(settings):
    settings.set("lake", "url", "s3://lake")
    settings.set("lake", "keep_day", "7")
    said = message(config.lake)
    assert "[lake] keep_day: no such setting" in said
    assert "keep_days" in said


def test_an_unknown_setting_is_told_before_a_missing_one(settings):
    settings.set("mysql", "uri", "mysql://shop")
    assert "[mysql] uri: no such setting" in message(config.mysql)


@pytest.mark.parametrize("section", ["lake", "warehouse", "mysql", "redis", "elasticsearch", "s3_source"])
def test_a_missing_setting_is_named_with_its_section(settings, section):
    assert message(getattr(config, section)).startswith(f"[{section}] url: not set")


def test_a_number_that_is_none_is_named_with_its_value(settings):
    settings.set("lake", "url", "s3://lake")
    settings.set("lake", "part_mb", "16 MB")
    assert message(config.lake) == "[lake] part_mb = 16 MB: write a whole number"


def test_an_unset_environment_variable_is_named_and_the_rest_of_the_value_is_not(settings, monkeypatch):
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    settings.set("mysql", "url", "mysql://etl:prefix-${SHOP_PASSWORD}@shop/db")
    said = message(config.mysql)
    assert said == "[mysql] url: set the environment variable SHOP_PASSWORD"


def test_a_secret_comes_out_of_the_environment_as_it_is(settings, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "100%_${HOME}")
    settings.set("mysql", "url", "mysql://etl:${SHOP_PASSWORD}@shop/db")
    assert config.mysql().url == "mysql://etl:100%_${HOME}@shop/db"


def test_a_literal_percent_sign_is_explained(settings, tmp_path):
    """Written in the file, where configparser takes it for one of its own."""
    file = tmp_path / "luigi.cfg"
    file.write_text("[mysql]\nurl = mysql://etl:p%40ss@shop/db\n")
    luigi.configuration.get_config().read([str(file)])
    assert message(config.mysql) == "[mysql] url: write a literal % as %%"
    file.write_text("[mysql]\nurl = mysql://etl:p%%40ss@shop/db\n")
    luigi.configuration.get_config().read([str(file)])
    assert config.mysql().url == "mysql://etl:p%40ss@shop/db"


@pytest.mark.parametrize("section", ["lake", "warehouse", "mysql", "redis", "elasticsearch", "s3_source"])
def test_embedded_says_how_to_start_the_stack(settings, section):
    settings.set(section, "url", "embedded")
    said = message(getattr(config, section))
    assert said.startswith(f"[{section}] url = embedded") and "`etl up`" in said


@pytest.mark.parametrize("month", ["0", "13", "-1"])
def test_a_fiscal_year_begins_in_a_month(settings, month):
    settings.set("calendar", "fiscal_year_start", month)
    assert message(config.calendar) == f"[calendar] fiscal_year_start = {month}: write a month, 1 to 12"


def test_the_timezone(settings):
    assert config.timezone() == ZoneInfo("UTC")
    settings.set("etl", "timezone", "America/New_York")
    assert config.timezone() == ZoneInfo("America/New_York")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_timezone(settings, name):
    settings.set("etl", "timezone", name)
    assert message(config.timezone).startswith(f"[etl] timezone = {name}: no such time zone")


def test_check_reads_every_section_that_is_there(settings):
    config.check()
    settings.set("sixpack", "windowdays", "3")
    assert "[sixpack] windowdays" in message(config.check)


def test_secrets_are_not_shown_when_settings_are_printed():
    shown = [
        config.Lake(url="s3://lake", secret_access_key="hush"),
        config.Warehouse(url="postgresql://u:hush@h/d"),
        config.Url(url="redis://:hush@h"),
    ]
    assert "hush" not in str(shown)


def test_the_projects_own_file_is_understood(monkeypatch):
    """Every section of luigi.cfg that is ours is read without a ConfigError but that the stack is not up."""
    parser = LuigiConfigParser()
    parser.read([str(Path(config.__file__).parents[1] / "luigi.cfg")])
    monkeypatch.setattr(LuigiConfigParser, "_instance", parser)
    assert "`etl up`" in message(config.check)
    for section in parser.sections():
        if parser.has_option(section, "url"):
            parser.set(section, "url", "s3://somewhere")
    config.check()
    assert dataclasses.asdict(config.sixpack()) == {"prefix": "sxp", "window_days": 0}


def test_copies_are_known_without_the_warehouse_and_never_none(settings):
    assert config.copies() == config.Warehouse.copies
    settings.set("warehouse", "copies", 0)
    assert config.copies() == 1
    settings.set("warehouse", "copies", "two")
    assert message(config.copies) == "[warehouse] copies = two: write a whole number"
