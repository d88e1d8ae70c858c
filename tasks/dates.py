"""dim_date: the calendar, extracted from no source but arithmetic.

It is loaded once; after the country of the holidays or the fiscal year has changed in luigi.cfg,
`etl rerun LoadDateTable --start-year 1990 --end-year 2049` writes it anew.
"""

import csv

import luigi

from etl.calendar import DIM_DATE_COLUMNS, date_row_generator
from etl.extract import BaseExtractor
from etl.load import BaseLoader


class ExtractDateTable(BaseExtractor):
    start_year = luigi.IntParameter()
    end_year = luigi.IntParameter()

    def run(self):
        with self.output().open("w") as outfile:
            out = csv.DictWriter(outfile, fieldnames=DIM_DATE_COLUMNS)
            for row in date_row_generator(self.start_year, self.end_year):
                out.writerow(row)


class LoadDateTable(BaseLoader):
    schema = "public"
    table = "dim_date"
    start_year = luigi.IntParameter()
    end_year = luigi.IntParameter()

    def requires(self):
        return ExtractDateTable(start_year=self.start_year, end_year=self.end_year)


def dim_date() -> LoadDateTable:
    """The calendar that every fact's day resolves in."""
    return LoadDateTable(start_year=1990, end_year=2049)
