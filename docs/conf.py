"""How Sphinx builds the documentation."""

from importlib.metadata import version as installed_version

project = "brownie-backup"
version = release = installed_version("brownie-backup")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "brownie-backup"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"

nitpick_ignore_regex = [
    ("py:.*", r"(?!brownie_backup\b).*"),  # others' documentation is not at hand while building
    # Some types stay inside.
    ("py:.*", r"brownie_backup\.(repository|dumpers)\..*"),
    ("py:.*", r"brownie_backup\.(config|model\.reports)\.(T|Variable)"),
]
