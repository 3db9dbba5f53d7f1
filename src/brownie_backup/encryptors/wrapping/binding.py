"""What a wrapped data key is bound to, as bytes."""

from brownie_backup.model.keys import KeyContext


def context_bytes(context: KeyContext) -> bytes:
    """Return the lines that say what a data key is for, the same for every kind of recipient."""
    lines = (
        f"brownie-backup/wrapped-key/1\nrepository {context.repository_id}\nkey {context.key_id}\n"
    )
    return lines.encode("utf-8", "surrogatepass")
