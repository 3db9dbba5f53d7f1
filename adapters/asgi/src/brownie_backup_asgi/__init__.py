"""PostgreSQL backups over REST: an ASGI app to serve alone, or to mount in your own service.

``app = create_app(load_settings(os.environ))``; see docs/how-to/mount-in-your-service.md.
"""

from brownie_backup_asgi.app import BackupApp, create_app

__all__ = ["BackupApp", "create_app"]
