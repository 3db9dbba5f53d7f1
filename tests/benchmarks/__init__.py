"""Benchmarks: how time, memory and requests grow. `nox -s benchmarks` runs them, CI does not.

Each compares with something else in the same run, and says so as a ratio: the numbers themselves
tell as much about the machine.

- `test_catalogue`: listing and sweeping, a large store against one of a tenth.
- `test_many_objects`: backing up many tables, partitions or large objects, against pg_dump.
- `test_speed`: backing up and restoring, against other programs on the same PostgreSQL server;
  `targets` has what it is to reach.
- `test_throughput`: put and get of blobs, against other programs on the same server.

`test_speed` takes a quarter of an hour and 15 GiB of disk. In the environment
BROWNIE_BENCH_OUTPUT is the folder for its tables and its picture, BROWNIE_BENCH_SCALE the share
of the rows (0.03 tries it in a minute, and its figures mean nothing), BROWNIE_BENCH_ROUNDS how
often everything is run.
"""
