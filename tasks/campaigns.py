"""fact_campaign_email: what three mail providers report of our campaigns, a folder a day."""

from etl.load import BaseLoader
from etl.sources.s3 import S3Extractor
from tasks.dates import dim_date
from tasks.events import LoadEvents
from tasks.users import LoadUsers


class ExtractCampaignEmails(S3Extractor):
    prefix = "campaigns/{date:%Y/%m/%d}/"
    columns = (
        "message_id", "campaign", "user_id", "event_id", "sent_at", "opened_at", "clicked_at", "bounced", "revenue",
    )  # fmt: skip


class LoadCampaignEmails(BaseLoader):
    table = "fact_campaign_email"
    strategy = "partition"
    key = ("date_key",)
    sql = "fact_campaign_email.sql"

    def requires(self):
        extract = ExtractCampaignEmails(date=self.date)
        return [extract, LoadUsers(date=self.date), LoadEvents(date=self.date), dim_date()]
