"""The checks of this project: `python3 -m uv run nox` runs them all.

`nox -l` lists the sessions; `nox -s tests-3.11 -- tests/unit -k names` runs some tests of one.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PROJECTS = (ROOT, *sorted(path.parent for path in ROOT.glob("adapters/*/pyproject.toml")))
PYTHONS = ("3.11", "3.12", "3.13")
COMMANDS = {
    "brownie_backup_asgi": "brownie-backup-asgi",
    "brownie_backup_cli": "brownie-backup",
    "brownie_backup_cron": "brownie-backup-cron",
}
# What a wheel must not bring, because others of ours do.
FOREIGN = {
    "brownie_backup": {"boto3", "opentelemetry-sdk", "rich", "starlette", "uvicorn"},
    "brownie_backup_asgi": {"boto3", "rich", "shtab"},
    "brownie_backup_cli": {"boto3", "opentelemetry-sdk", "starlette", "uvicorn"},
    "brownie_backup_cron": {"boto3", "rich", "starlette", "uvicorn"},
}
CLI_FILES = (
    "bash-completion/completions/brownie-backup",
    "man/man1/brownie-backup.1",
    "zsh/site-functions/_brownie-backup",
)

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
OLDEST, *BETWEEN, NEWEST = (f"tests-{python}" for python in PYTHONS)
# Everything runs on the oldest Python; `nox -s nightly` runs it on the others.
nox.options.sessions = ["lint", "types", OLDEST, NEWEST, "docs", "wheels"]
# Without an interpreter CI fails; elsewhere nox names the skipped sessions at the end.
nox.options.error_on_missing_interpreters = "CI" in os.environ


def _find_pyenv_versions() -> None:
    """Let nox find the Pythons that pyenv has but hasn't activated: their shims only fail.

    What is on PATH already goes first; uv downloads what is nowhere.
    """
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for python in PYTHONS:
        newest_first = sorted(versions.glob(f"{python}.*"), key=_numbers, reverse=True)
        found = [str(version / "bin") for version in newest_first]
        os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *found])


def _numbers(version: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.name)]


_find_pyenv_versions()


def _install(session: nox.Session, requirements: str, *, projects: bool = False) -> None:
    """Install pinned requirements, and our own projects with nothing that isn't pinned."""
    session.install("--require-hashes", "-r", f"requirements/{requirements}.txt")
    if projects:
        editable = [argument for project in PROJECTS for argument in ("-e", str(project))]
        session.install("--no-deps", *editable)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, and which module imports which."""
    _install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    sources = os.pathsep.join(str(project / "src") for project in PROJECTS)
    session.run("lint-imports", env={"PYTHONPATH": sources})
    if (ROOT / ".git").exists():
        tracked = session.run("git", "ls-files", "*uv.lock", external=True, silent=True)
        if tracked:
            session.error("uv.lock names a registry: it must not be committed")


@nox.session(python=PYTHONS[0])  # whose standard library is the smallest that has to do
def types(session: nox.Session) -> None:
    """Check the types, in the tests too."""
    _install(session, "types")
    session.run("mypy", *session.posargs)
    # Our users may have another checker: what they see of us is checked by both.
    session.run("pyright", "tests/typing")


# More workers than processors: many tests wait for a server, a clock or a lock.
BESIDE_EACH_OTHER = ("-n", str((os.cpu_count() or 1) + 2), "--dist", "worksteal")


# What another Python may break: our own code and its imports, and one way through each program.
ON_EACH_PYTHON = ("tests/unit", "tests/adapters", "tests/integration/test_restore.py")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests: all on the oldest Python; on the others those that depend on Python."""
    _install(session, "tests", projects=True)
    oldest = session.python == PYTHONS[0]
    selected = "not nightly" if oldest else "not nightly and not once"
    chosen = session.posargs or (() if oldest else ON_EACH_PYTHON)
    # Servers and their databases are each process's own, so that tests can run beside each other.
    session.run("pytest", *BESIDE_EACH_OTHER, "-m", selected, *chosen)


@nox.session(python=PYTHONS[0], default=False)
def coverage(session: nox.Session) -> None:
    """Report what the tests cover; it makes them take nearly twice as long."""
    _install(session, "tests", projects=True)
    data = Path(session.virtualenv.location, "coverage")
    shutil.rmtree(data, ignore_errors=True)  # of the run before
    env = {"COVERAGE_FILE": str(data / ".coverage")}
    arguments = (*BESIDE_EACH_OTHER, "-m", "not nightly", *session.posargs)
    session.run("coverage", "run", "-m", "pytest", *arguments, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure how time, memory and requests grow; print tables of ratios."""
    _install(session, "tests", projects=True)
    session.run("pytest", "-s", *(session.posargs or ("tests/benchmarks",)))


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Run what takes too long for each change: versions between, and longer random histories."""
    _install(session, "tests", projects=True)
    history = "tests/integration/test_incremental_history.py"
    hostile = ("tests/unit/test_hostile_objects.py", "tests/unit/test_hostile_parsers.py")
    env = {
        "BROWNIE_TEST_BACKUPS": os.environ.get("BROWNIE_TEST_BACKUPS", "300"),
        "BROWNIE_TEST_OBJECTS": os.environ.get("BROWNIE_TEST_OBJECTS", "30000"),
        "BROWNIE_TEST_CASES": os.environ.get("BROWNIE_TEST_CASES", "10000000"),
    }
    session.run("pytest", "--timeout=3600", *(session.posargs or (history, *hostile)), env=env)
    if not session.posargs:
        session.run("pytest", *BESIDE_EACH_OTHER, "-m", "nightly")
        for python in (*BETWEEN, NEWEST):
            session.notify(python, ("tests",))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _install(session, "docs", projects=True)
    session.run("sphinx-build", "-q", "-W", "--keep-going", "-n", "-E", "docs", "docs/_build")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build each wheel, install it alone in a new place, and try it there."""
    _install(session, "tests", projects=True)
    with tempfile.TemporaryDirectory() as place:
        built = Path(place, "wheels")
        for project in PROJECTS:
            # The wheel is made from the sdist, which so is shown to hold all that a build needs.
            session.run("uv", "build", "--quiet", f"--out-dir={built}", str(project))
        with session.chdir(place):  # so that nothing comes from the checkout
            for wheel in sorted(built.glob("*.whl")):
                _try_wheel(session, wheel)


def _try_wheel(session: nox.Session, wheel: Path) -> None:
    module = wheel.name.split("-")[0]
    venv = Path(module).absolute()
    session.run("uv", "venv", "--quiet", str(venv))
    session.run(
        *("uv", "pip", "install", "--quiet", f"--python={venv}/bin/python", str(wheel)),
        *(f"--find-links={wheel.parent}", f"--constraint={ROOT}/requirements/tests.txt"),
    )
    session.run(f"{venv}/bin/python", "-I", "-c", f"import {module}", external=True)
    listing = ("uv", "pip", "list", "--format=freeze", f"--python={venv}/bin/python")
    brought = {line.partition("==")[0] for line in str(session.run(*listing, silent=True)).split()}
    if unwanted := brought & FOREIGN[module]:
        session.error(f"{wheel.name} brings {', '.join(sorted(unwanted))}")
    if module in COMMANDS:
        session.run(f"{venv}/bin/{COMMANDS[module]}", "--version", external=True)
    if module == "brownie_backup_cli":
        for name in CLI_FILES:
            if not (venv / "share" / name).is_file():
                session.error(f"{wheel.name} installs no share/{name}")


@nox.session(python=PYTHONS[0], default=False)
def soak(session: nox.Session) -> None:
    """Kill command, server and store again and again, fill a disk; restore every backup."""
    _install(session, "tests", projects=True)
    session.run("pytest", "-s", *(session.posargs or ("tests/soak",)))


@nox.session(python=PYTHONS[0], default=False)
def sbom(session: nox.Session) -> None:
    """Write the bill of materials of all that our packages and their extras bring: CycloneDX."""
    _install(session, "supply")
    bill = Path(session.posargs[0] if session.posargs else "brownie-backup.cdx.json").absolute()
    bill.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        projects = [f"{project}[{','.join(_extras(project))}]" for project in PROJECTS]
        pins = f"--constraint={ROOT}/requirements/tests.txt"
        session.run("uv", "venv", "--quiet", f"{place}/venv", external=True)
        python = f"--python={place}/venv/bin/python"
        session.run("uv", "pip", "install", "--quiet", python, pins, *projects, external=True)
        session.run("cyclonedx-py", "environment", f"{place}/venv", f"--output-file={bill}")


def _extras(project: Path) -> list[str]:
    loaded = nox.project.load_toml(str(project / "pyproject.toml"))
    return [*loaded["project"].get("optional-dependencies", {})]


@nox.session(python=PYTHONS[0], default=False)
def vulnerabilities(session: nox.Session) -> None:
    """Look all pins up in the database of known vulnerabilities; this needs the network."""
    _install(session, "supply")
    for pins in sorted((ROOT / "requirements").glob("*.txt")):
        # The server's programs of several versions are one package: no resolver takes them.
        if pins.name != "postgresql.txt":
            only_pins = ("--disable-pip", "--require-hashes", "--strict")  # what is unknown fails
            session.run("pip-audit", *only_pins, f"--requirement={pins}")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Renew every pin: requirements/*.txt, and the constraints in pyproject.toml."""
    folder, scratch = ROOT / "requirements", Path(session.create_tmp(), "scratch.in")
    manifests = [str(project / "pyproject.toml") for project in PROJECTS]
    loaded = [nox.project.load_toml(manifest) for manifest in manifests]
    ours = ["--all-extras", *(f"--no-emit-package={each['project']['name']}" for each in loaded)]

    header = "# Written by `nox -s lock`.\n"
    for name in ("lint", "node", "supply", "types", "tests", "docs"):
        projects = () if name in {"lint", "node", "supply"} else (*manifests, *ours)
        pins = _resolve(session, f"requirements/{name}.in", *projects, "--generate-hashes")
        (folder / f"{name}.txt").write_text(header + pins, encoding="utf-8")

    pins = ""
    for line in (folder / "postgresql.in").read_text(encoding="utf-8").splitlines():
        scratch.write_text(line, encoding="utf-8")  # one by one, being versions of one package
        # It asks for Python 3.12 without need: see tests/servers/install.py.
        pins += _resolve(session, str(scratch), "--generate-hashes", python="3.12")
    (folder / "postgresql.txt").write_text(header + pins, encoding="utf-8")

    builds = {line for each in loaded for line in each["build-system"]["requires"]}
    scratch.write_text("\n".join(builds), encoding="utf-8")
    constraints = {
        "constraint-dependencies": _resolve(session, *manifests, *ours, "--group=dev"),
        "build-constraint-dependencies": _resolve(session, str(scratch)),
    }
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for key, pins in constraints.items():
        array = "".join(f'    "{pin}",\n' for pin in pins.splitlines())
        text = re.sub(rf"(?ms)^{key} = \[.*?\]$", f"{key} = [\n{array}]", text)
    (ROOT / "pyproject.toml").write_text(text, encoding="utf-8")


def _resolve(session: nox.Session, *arguments: str, python: str = PYTHONS[0]) -> str:
    """Find the newest versions, whatever the present pins are; the same for all platforms."""
    command = ("uv", "pip", "compile", "--quiet", "--no-config", "--upgrade", "--universal")
    bare = ("--no-header", "--no-annotate", f"--python-version={python}")
    return str(session.run(*command, *bare, *arguments, silent=True, external=True))
