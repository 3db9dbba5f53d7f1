"""The names and the encoding of stored objects: docs/format.md, as code."""
