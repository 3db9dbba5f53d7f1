"""``python -m brownie_backup_cron`` is ``brownie-backup-cron``."""

import sys

from brownie_backup_cron.main import main

sys.exit(main())
