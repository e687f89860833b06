"""docs/operations.md tells the settings as they are."""

from config.environment import BASE_DIR
from config.management.commands.settings_help import markdown_table

BEGIN, END = "<!-- settings -->\n", "\n<!-- /settings -->"


def test_the_documented_settings_are_the_real_ones() -> None:
    """To mend: put the output of `manage.py settings_help --markdown` between the two marks."""
    text = (BASE_DIR / "docs" / "operations.md").read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == markdown_table()
