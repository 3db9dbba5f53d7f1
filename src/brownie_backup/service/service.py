"""The verbs by settings, as adapters offer them: each one an operation with log and audit records.

An adapter parses its input, calls one method, and renders the result or the error. The steps that
all operations share happen here, once.
"""

from brownie_backup.service.backups import BackupVerbs
from brownie_backup.service.queries import Queries
from brownie_backup.service.retention import RetentionVerbs
from brownie_backup.service.verification import VerificationVerbs


class Service(BackupVerbs, VerificationVerbs, RetentionVerbs, Queries):
    """The verbs for one database, by its settings, on behalf of an actor.

    The stores are opened when first needed, and kept until `close`, or the end of a ``with`` block.
    Several methods may run at once, in threads. `operation_id` identifies an operation in logs and
    in the audit trail: by default a new one.

    For another actor, use `attrs.evolve(service, actor=…)`. It keeps the same open stores and the
    same trail, including records that a store has not taken yet.

    Args:
        settings: from `load_settings`.
        actor: the name of the caller.
        context: the open stores and trail; by default a new context of these settings.
    """
