"""The size of blobs, and how many are processed at once."""

BLOB_BYTES = 16 << 20
"""The plaintext size of a blob. The format allows up to 32 MiB. A worker holds up to three copies
of a blob that does not compress; with this size three workers stay below 200 MiB."""

MOST_WORKERS = 3
"""The most blobs that are processed at once, whatever is configured. More would take the memory of
a process over 300 MiB if blobs don't compress, and one pg_dump is not fast enough for more."""
