#!/usr/bin/env bash
# Disaster recovery in three steps: list the backups, restore the latest one, and check that the
# database is there.
#
#     ./recover.sh [OPTION OF brownie-backup restore ...]
#
# It uses the settings in the environment: the store, the private key, and the server to restore on
# in BACKUP_DATABASE_URL. An existing database is not changed unless you add --replace. Even then it
# is kept, under a dated name. To restore another backup than the latest, set NAME.
# A new server has none of the old roles: add --with-roles.
#
# To check the REST API as well, set BROWNIE_API to its address, such as http://localhost:8000, and
# BACKUP_API_TOKEN_FILE.
set -euo pipefail

step() { printf '\n== %s\n' "$1" >&2; }

# 3 means success with warnings, for example when one of several stores cannot be reached.
ok_or_warned() { "$@" || [ $? -eq 3 ]; }

# The list is read from only one store: the one that --from names.
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
# doctor reports a missing store as an error, even though the database is restored.
brownie-backup doctor || echo "the database is restored; mend what doctor has found" >&2
ok_or_warned brownie-backup status
if [ -n "${BROWNIE_API:-}" ]; then
  curl --fail --silent --show-error "$BROWNIE_API/health"
  # From a file, so that the token does not appear in the process list.
  printf 'header = "Authorization: Bearer %s"\n' "$(<"$BACKUP_API_TOKEN_FILE")" |
    curl --fail --silent --show-error --config - "$BROWNIE_API/backup/status"
else
  echo "BROWNIE_API is not set: the REST API was not asked" >&2
fi
