"""The verbs by settings, as adapters offer them."""

from brownie_backup.service.service import Service

__all__ = ["Service"]
