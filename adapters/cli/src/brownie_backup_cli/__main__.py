"""``python -m brownie_backup_cli`` is ``brownie-backup``."""

import sys

from brownie_backup_cli.main import main

sys.exit(main())
