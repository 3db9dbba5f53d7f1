"""The runner's notifications: it counts those that were not delivered."""

from brownie_backup.config.settings import Settings
from brownie_backup.notifications.notifier import Notifier
from brownie_backup.protocols import Clock
from brownie_backup_cron.metrics import RunnerMetrics
from brownie_backup_cron.vocabulary import WORDS


def make_notifier(settings: Settings, runner_metrics: RunnerMetrics, clock: Clock) -> Notifier:
    """Return the notifier of a runner."""
    return Notifier(settings, WORDS, clock, lambda to: runner_metrics.count("undelivered", to))
