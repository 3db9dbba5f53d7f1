"""Every error of the library has its answer."""

from brownie_backup import errors
from brownie_backup.errors import BackupError
from brownie_backup_asgi.problems import BY_ERROR, INVALID, OURS, Problem, problem_of


def all_errors(kind: type[BackupError] = BackupError) -> set[type[BackupError]]:
    """Return a class and all that come from it."""
    return {kind}.union(*(all_errors(each) for each in kind.__subclasses__()))


def test_the_table_has_every_class_below_the_root() -> None:
    for kind in BackupError.__subclasses__():
        assert kind in BY_ERROR, kind
    assert set(BY_ERROR) <= all_errors()


def test_every_error_has_a_status_a_type_and_a_hint() -> None:
    for kind in all_errors():
        if kind is errors.ConfigurationError:
            error: BackupError = errors.ConfigurationError(["wrong"], hint="do this")
        else:
            error = kind("it happened", hint="do this")
        document = problem_of(error).document
        assert 400 <= document["status"] < 600
        assert document["type"].startswith("urn:brownie-backup:problem:")
        assert document["hint"]


def test_no_two_types_have_one_name() -> None:
    kinds = [*BY_ERROR.values(), *OURS]
    assert len({kind.name for kind in kinds}) == len(kinds)


def test_what_is_not_ours_says_its_class_only() -> None:
    document = problem_of(RuntimeError("password='planted'")).document
    assert document["detail"] == "unexpected RuntimeError"
    assert document["status"] == 500


def test_no_secret_is_in_a_problem() -> None:
    error = errors.DatabaseError("cannot reach postgresql://joe:planted@db/x")
    assert "planted" not in str(problem_of(error).document)


def test_a_store_that_says_when_to_come_back_is_quoted() -> None:
    error = errors.StoreUnavailable("slow down", retry_after_seconds=2.5)
    assert problem_of(error).headers["Retry-After"] == "3"
    assert problem_of(errors.LeaseLost("gone")).headers["Retry-After"] == "5"


def test_what_has_no_utf_8_is_sent_all_the_same() -> None:
    problem = Problem(INVALID, "no '\ud800'", hint="\udfff", details=("\ud800",))
    assert b"no '\\\\ud800'" in problem.response().body
