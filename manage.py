#!/usr/bin/env python3
"""Headrace's command line: `manage.py help` lists what there is."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit(_complain("Django is not installed here; `make serve` sets everything up, .venv/bin/python runs it"))
    from config.bootstrap import prepare
    from config.environment import ConfigurationError

    try:
        if sys.argv[1:2] == ["serve"]:
            prepare(sys.argv[2:])
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(_complain(str(error)))


def _complain(line: str) -> int:
    print(f"headrace: {line}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
