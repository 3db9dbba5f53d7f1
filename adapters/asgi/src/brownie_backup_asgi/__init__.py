"""An ASGI app: backups over REST."""
