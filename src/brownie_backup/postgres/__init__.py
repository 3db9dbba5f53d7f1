"""Access to a PostgreSQL server and its programs, for any kind of backup."""
