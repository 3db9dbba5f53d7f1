"""How processes that share a repository keep out of each other's way."""
