#!/usr/bin/env bash
# Disaster recovery in three steps: which backups there are, the latest one restored, and proof that
# it is there.
#
#     ./recover.sh [OPTION OF brownie-backup restore ...]
#
# It takes the settings of the environment: the store, the private key, and the server to restore on
# in BACKUP_DATABASE_URL. An existing database is left as it is unless you add --replace; and even
# then it is kept, under a dated name. NAME, instead of the latest, restores that backup.
#
# Where the REST API runs, it is asked too: set BROWNIE_API to its address, such as
# http://localhost:8000, and BACKUP_API_TOKEN_FILE.
set -euo pipefail

step() { printf '\n== %s\n' "$1" >&2; }

# 3 is done, with warnings, as when one of several stores is out of reach.
ok_or_warned() { "$@" || [ $? -eq 3 ]; }

# The list is read from one store alone: from the one that --from names.
from=()
previous=
for argument in "$@"; do
  if [ "$previous" = --from ]; then from=(--from "$argument"); fi
  previous=$argument
done

step "1. Identify the latest backup"
brownie-backup list "${from[@]}" || echo "not all stores answer: the restore tries each" >&2

step "2. Restore the database"
ok_or_warned brownie-backup restore "${NAME:-latest-backup}" "$@"

step "3. Verify the restoration"
# A store that is gone is an error to doctor, and yet the database is back.
brownie-backup doctor || echo "the database is restored; mend what doctor has found" >&2
ok_or_warned brownie-backup status
if [ -n "${BROWNIE_API:-}" ]; then
  curl --fail --silent --show-error "$BROWNIE_API/health"
  # From a file, so that the token does not show in the list of processes.
  printf 'header = "Authorization: Bearer %s"\n' "$(<"$BACKUP_API_TOKEN_FILE")" |
    curl --fail --silent --show-error --config - "$BROWNIE_API/backup/status"
else
  echo "BROWNIE_API is not set: the REST API was not asked" >&2
fi
