"""The verbs by settings, as adapters offer them: each one an operation that leaves its traces.

An adapter parses its input, calls one method, and renders the result or the error. What every
operation has in common happens here, once.
"""

from brownie_backup.service.backups import BackupVerbs
from brownie_backup.service.queries import Queries
from brownie_backup.service.retention import RetentionVerbs
from brownie_backup.service.verification import VerificationVerbs


class Service(BackupVerbs, VerificationVerbs, RetentionVerbs, Queries):
    """Backups of one database by settings, on behalf of somebody.

    The stores are opened when first needed, and kept until `close`, or the end of a ``with``
    block. Several methods may run at once, in threads. `operation_id` is what logs and the audit
    trail call an operation: by default a new one.

    For somebody else, `attrs.evolve(service, actor=…)`: that goes on with the same open stores and
    the same trail, and with what a store has not taken of it yet.

    Args:
        settings: from `load_settings`.
        actor: who asks.
        context: what is open; by default a new one, of these settings.
    """
