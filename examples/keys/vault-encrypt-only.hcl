# For a host that makes backups: it can wrap data keys with the key 'backups', but unwrap none.
path "transit/encrypt/backups" {
  capabilities = ["update"]
}

# It can learn whether its token is still valid.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
