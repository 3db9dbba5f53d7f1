"""The size of blobs, and how many are processed at once."""

BLOB_BYTES = 16 << 20
"""The plaintext size of a blob. The format allows up to 32 MiB."""

MOST_WORKERS = 3
"""The most blobs of one stream that are processed at once, whatever is configured: one pg_dump is
not fast enough for more, and so many take up to three copies each if they don't compress."""
