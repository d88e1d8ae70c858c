"""Nightly(date): everything that cron runs. A new table is one line here."""

import luigi

from tasks.campaigns import LoadCampaignEmails
from tasks.dates import dim_date
from tasks.events import LoadEvents, LoadVenues
from tasks.experiments import ExperimentResults, LoadAssignments, LoadExperimentDays, LoadExperiments
from tasks.sales import DailySales, LoadListings, LoadTicketSales
from tasks.searches import LoadSearches
from tasks.users import LoadUsers


class Nightly(luigi.WrapperTask):
    date = luigi.DateParameter(description="the business day whose night this is")

    def requires(self):
        yield dim_date()
        yield LoadUsers(date=self.date)
        yield LoadVenues(date=self.date)
        yield LoadEvents(date=self.date)
        yield LoadListings(date=self.date)
        yield LoadTicketSales(date=self.date)
        yield LoadExperiments(date=self.date)
        yield LoadExperimentDays(date=self.date)
        yield LoadAssignments(date=self.date)
        yield LoadSearches(date=self.date)
        yield LoadCampaignEmails(date=self.date)
        yield DailySales(date=self.date)
        yield ExperimentResults(date=self.date)
