"""Which ES modules a page loads: the closure of its entry's static imports."""

import re
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "static"
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?from\s+"(\.{1,2}/[^"]+)";', re.MULTILINE | re.DOTALL)


def closure(entry: str) -> list[str]:
    """The modules below `static/` that `js/<entry>` imports, itself left out, sorted."""
    found: set[Path] = set()
    todo = [STATIC / "js" / entry]
    while todo:
        module = todo.pop()
        for target in IMPORT.findall(module.read_text()):
            path = (module.parent / target).resolve()
            if path not in found:
                found.add(path)
                todo.append(path)
    return sorted(str(path.relative_to(STATIC)) for path in found)


def preloads(entry: str) -> str:
    """What templates/modules/ must hold for this entry."""
    links = [
        f'<link rel="modulepreload" fetchpriority="low" href="{{% static \'{module}\' %}}">\n'
        for module in closure(entry)
    ]
    return "{% load static %}" + "".join(links)
