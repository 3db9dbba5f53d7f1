"""The rules by which backups are kept."""

from datetime import timedelta

from attrs import field, frozen
from attrs.validators import ge, instance_of, le, optional

_NO_TIME = timedelta(0)


def _thirty_days() -> timedelta | None:
    return timedelta(days=30)


_count = field(default=0, validator=[instance_of(int), ge(0)])


@frozen
class RetentionPolicy:
    """Which backups of a database to keep: all backups that at least one of these rules keeps.

    Counting rules consider only good backups. A rule by periods keeps the newest backup of each of
    the last N periods that have one; hours, days, weeks (from Monday), months and years are in UTC.
    With neither `keep_within` nor any count, nothing is deleted.
    """

    keep_within: timedelta | None = field(factory=_thirty_days, validator=optional(ge(_NO_TIME)))
    """Keep younger backups, good or not. None turns the rule off."""
    keep_last: int = _count
    keep_hourly: int = _count
    keep_daily: int = _count
    keep_weekly: int = _count
    keep_monthly: int = _count
    keep_yearly: int = _count
    keep_labels: tuple[str, ...] = ()
    """Keep backups with such a label: ``key`` for any value, or ``key=value``."""
    keep_min: int = field(default=1, validator=ge(1))
    """How many of the newest good backups are kept regardless of the rules."""
    most_deleted_share: float = field(default=0.5, validator=[ge(0), le(1)])
    """Deleting a larger share of a database's backups at once needs confirmation."""

    @property
    def counts(self) -> bool:
        """Whether there is a rule that counts backups or periods."""
        return bool(
            self.keep_last
            or self.keep_hourly
            or self.keep_daily
            or self.keep_weekly
            or self.keep_monthly
            or self.keep_yearly
        )

    @property
    def deletes(self) -> bool:
        """Whether any rule allows a backup to be deleted."""
        return self.keep_within is not None or self.counts
