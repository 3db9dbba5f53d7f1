"""``python -m brownie_backup_asgi``."""

import sys

from brownie_backup_asgi.main import main

sys.exit(main())
