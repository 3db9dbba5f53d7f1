"""The catalogue: manifests, and a repository's other records about its backups."""
