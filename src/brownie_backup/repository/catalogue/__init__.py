"""The catalogue: manifests, and what else a repository says of its backups."""
