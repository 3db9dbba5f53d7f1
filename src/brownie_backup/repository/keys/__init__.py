"""The keys of a repository: its key ring, and the data keys that are wrapped for its recipients."""
