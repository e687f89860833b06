"""Print every setting that the environment can hold."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

from config.environment import Environment

HIDDEN = frozenset({"secret_key", "database_url", "redis_url"})
"""Values that may hold a secret; whether they are set is all that is shown."""


def rows() -> list[tuple[str, str, str]]:
    """(variable, value in force, what it means), in the order of config/environment.py."""
    found = []
    for name, field in Environment.model_fields.items():
        value = getattr(settings.HEADRACE, name)
        shown = ("set" if value else "") if name in HIDDEN else _text(value)
        found.append((f"HEADRACE_{name.upper()}", shown, field.description or ""))
    return found


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class Command(BaseCommand):
    """`settings_help`."""

    help = "Print every environment variable that Headrace reads, its value now and what it means."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--markdown` for docs/operations.md."""
        parser.add_argument("--markdown", action="store_true", help="as a Markdown table of the defaults")

    def handle(self, *args: Any, markdown: bool, **options: Any) -> None:
        """Print the table."""
        if markdown:
            self.stdout.write(markdown_table())
            return
        table = Table("Variable", "Now", "Meaning", expand=False)
        for row in rows():
            table.add_row(*row)
        Console(file=self.stdout, soft_wrap=False).print(table)  # type: ignore[arg-type]


def markdown_table() -> str:
    """The defaults, for the documentation."""
    lines = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Environment.model_fields.items():
        default = "var" if name == "var_dir" else _text(field.default)
        shown = f"`{default}`" if default else ""
        lines.append(f"| `HEADRACE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)
