# For a host that restores and verifies backups: it can unwrap data keys with the key 'backups'.
path "transit/decrypt/backups" {
  capabilities = ["update"]
}

# It can learn whether its token is still valid.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
