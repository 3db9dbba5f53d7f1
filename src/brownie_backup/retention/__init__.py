"""Which backups to keep: pure policy, and the plan that follows from it."""

from brownie_backup.retention.plan import RetentionGroup, plan_retention
from brownie_backup.retention.policy import RetentionPolicy

__all__ = ["RetentionGroup", "RetentionPolicy", "plan_retention"]
