"""Back up with the workers of a Dask cluster: they read, compress, encrypt and store.

This process holds the snapshot and writes the manifest. It and every worker read their settings,
including secrets, from their own environment: no secret is sent.

    python backup_with_dask.py                       # starts a cluster on this host
    python backup_with_dask.py tcp://scheduler:8786  # uses an existing one
"""

import os
import sys
from contextlib import ExitStack

from distributed import Client, LocalCluster

from brownie_backup import create_backup
from brownie_backup.config import load_settings, make_worker


def main() -> None:
    """Make one backup."""
    jobs = load_settings(os.environ).parallel_jobs
    with ExitStack() as stack:
        address = sys.argv[1] if sys.argv[1:] else stack.enter_context(cluster(jobs))
        client = stack.enter_context(Client(address))
        executor = stack.enter_context(client.get_executor())
        (repository, *copies), dumper = stack.enter_context(make_worker())
        report = create_backup(
            repository,
            dumper,
            copies=copies,
            jobs=jobs,
            executor=executor,
            worker_factory=make_worker,
        )
    print(f"{report.manifest.name}: {report.new_blobs} new blobs")


def cluster(workers: int) -> LocalCluster:
    """Start worker processes on this host; they inherit this process's environment."""
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    )


if __name__ == "__main__":
    main()
