"""Tables for people: aligned whatever is in them."""

from brownie_backup_cli.output import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    wide = "x" * 500
    assert table(("Name", "Status"), [("a", "good"), (wide, "good")]) == [
        f"{'Name':<500}  Status",
        f"{'a':<500}  good",
        f"{wide}  good",
    ]


def test_characters_of_double_width_stay_aligned() -> None:
    assert table(("", "B"), [("店", "one"), ("abc", ":bug:")]) == [
        "     B",
        "店   one",
        "abc  :bug:",
    ]


def test_no_cell_can_look_like_another_row() -> None:
    assert table(("a", "b"), [("root\nmallory", "\tc")]) == [
        "a                b",
        r"root\x0amallory  \x09c",
    ]


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert table(("a", "b"), [("\x1b[2J", "c")]) == ["a        b", "\\x1b[2J  c"]
