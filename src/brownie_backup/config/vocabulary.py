"""How hints refer to a setting when settings are environment variables."""

from brownie_backup.config.variables import PREFIX, VARIABLES, Variable
from brownie_backup.hints import Vocabulary


def _called(variable: Variable) -> str:
    name = PREFIX + variable.name
    return f"{name} (or …_FILE)" if variable.secret else name


VARIABLE_NAMES: Vocabulary = {
    f"setting:{variable.name.lower()}": _called(variable) for variable in VARIABLES
}
"""The words for settings. A secret is best kept in a file, so both of its variables are named."""
