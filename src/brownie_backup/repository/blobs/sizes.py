"""How large blobs are made, and how many at once."""

BLOB_BYTES = 16 << 20
"""How much plaintext makes a blob. The format allows up to 32 MiB; a worker holds up to three
copies of a blob that does not compress, and with this size three workers stay below 200 MiB."""

MOST_WORKERS = 3
"""How many blobs are worked on at once, whatever is asked for: more would take the memory of a
process over 300 MiB when blobs don't compress, and one pg_dump does not feed more."""
