"""Benchmarks: how time, memory and requests grow. `nox -s benchmarks` runs them, CI does not.

Each compares with something else in the same run, and says so as a ratio: the numbers themselves
tell as much about the machine.

- `test_catalogue`: listing and sweeping, a large store against one of a tenth.
- `test_throughput`: put and get of blobs, against other programs on the same server.
"""
