"""Hints about this host: its programs, files, clock and telemetry."""

from brownie_backup.hints.hint import HintCode


class SetupHint(HintCode):
    """What to do on this host, or where it is set up."""

    INSTALL_PACKAGE = "install_package", "Install the package '{package}': {command}"
    CRON_SYNTAX = (
        "cron_syntax",
        "Use the five fields of cron, such as '0 2 * * *', or @daily",
    )
    SET_CLOCK = "set_clock", "Set the clock of this host by NTP"
    SET_EITHER_CLOCK = "set_either_clock", "Set the clock of this host, or of the store"
    MAKE_LOG_FOLDER = (
        "make_log_folder",
        "Create its folder, and give this user the right to write there; or unset "
        "{setting:log_file}",
    )
    MAKE_METRICS_FOLDER = (
        "make_metrics_folder",
        "Create its folder, and give this user the right to write there",
    )
    COLLECTOR_ADDRESS = (
        "collector_address",
        "Give the collector's address for {protocol}, such as http://collector:4318",
    )
    SPACE_FOR_TMPDIR = "space_for_tmpdir", "Set TMPDIR to a folder with enough space"
    NOT_AS_ROOT = "not_as_root", "Run this as an ordinary user"
