"""`etl metrics`: what Prometheus is told."""

import click

from etl.errors import EtlError


@click.command()
@click.option("--publish", is_flag=True, help="Write them where [metrics] says, and print nothing.")
def metrics(publish: bool) -> None:
    """Print the metrics of runs and tables as Prometheus reads them.

    Every run that ends writes them where [metrics] of luigi.cfg says: docs/metrics.md.
    """
    from etl import config
    from etl import metrics as gauges
    from etl.errors import ConfigError

    config.present()
    if publish:
        settings = config.metrics()
        if not settings.textfile and not settings.push:
            raise ConfigError("[metrics]: neither textfile nor push is set, so there is nowhere to write to")
        gauges.publish()
        return
    registry, wrong = gauges.collect()
    click.echo(gauges.text(registry), nl=False)
    if wrong:
        raise EtlError("; ".join(wrong))
