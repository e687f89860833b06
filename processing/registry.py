"""Which processors there are: the shipped ones, those of the settings, and the entry-point group `headrace.processors`.

`load` needs no Django: a child process calls it with the names of modules.
"""

import functools
import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from processing.api import Processor
from processing.errors import UnknownProcessor

BUILT_IN = (
    "processing.processors.inspect",
    "processing.processors.word_count",
    "processing.processors.table_profile",
    "processing.processors.thumbnail",
)
GROUP = "headrace.processors"


class RegistryError(Exception):
    """A module or entry point cannot be loaded, or two processors have one name. The message names it, in one line."""


@dataclass(frozen=True)
class Registry:
    """The processors by name, and in `missing` those left out: `{name: why}`."""

    processors: Mapping[str, Processor] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Processor:
        """The processor of that name. Raises UnknownProcessor, which says what is missing where it was left out."""
        found = self.processors.get(name)
        if found is not None:
            return found
        if name in self.missing:
            raise UnknownProcessor(f"The processor {name} is not available: {self.missing[name]}.")
        raise UnknownProcessor(
            f"There is no processor {name[:100]}. There are: {', '.join(self.processors) or 'none'}."
        )

    def all(self) -> list[Processor]:
        """Every processor, in the order of loading."""
        return list(self.processors.values())

    def accepts(self, content_type: str) -> list[Processor]:
        """Those that take a content type."""
        return [found for found in self.processors.values() if found.takes(content_type)]

    def describe(self) -> list[dict[str, Any]]:
        """What `welcome.processors` lists: name, title, description, accepts, streaming and the JSON Schema params."""
        return [
            {
                "name": found.name,
                "title": found.title,
                "description": found.description,
                "accepts": list(found.accepts),
                "streaming": found.streaming,
                "params": found.parameters.model_json_schema(),
            }
            for found in self.processors.values()
        ]


def load(modules: Sequence[str], entry_points: bool = True) -> Registry:
    """Import `modules` and, if asked, the entry points. Raises RegistryError."""
    processors: dict[str, Processor] = {}
    missing: dict[str, str] = {}
    seen: dict[str, tuple[str, Processor]] = {}
    for source, found in _found(modules, entry_points):
        home, before = seen.setdefault(found.name, (source, found))
        if before is not found:
            raise RegistryError(f"Two processors are called {found.name}: one in {home}, one in {source}")
        if lacking := _lacking(found):
            missing[found.name] = lacking
        else:
            processors[found.name] = found
    return Registry(processors, missing)


@functools.cache
def registry() -> Registry:
    """The process's one, from the settings. Raises RegistryError; a system check reports it."""
    return load(modules())


def modules() -> list[str]:
    """The names of the modules that the settings ask for; a child process is given them."""
    from django.conf import settings

    return list(dict.fromkeys((*BUILT_IN, *settings.HEADRACE.processors)))


def _found(modules: Sequence[str], entry_points: bool) -> Iterator[tuple[str, Processor]]:
    for name in modules:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # an author's module may raise anything
            raise RegistryError(f"The processor module {name} cannot be imported: {_reason(error)}") from error
        for found in _in_module(module):
            yield name, found
    if entry_points:
        yield from _from_entry_points()


def _from_entry_points() -> Iterator[tuple[str, Processor]]:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        where = f"The entry point {point.name} = {point.value} ({GROUP})"
        try:
            loaded = point.load()
        except Exception as error:
            raise RegistryError(f"{where} cannot be imported: {_reason(error)}") from error
        some = list(_in_module(loaded)) if isinstance(loaded, ModuleType) else [getattr(loaded, "processor", None)]
        for found in some:
            if not isinstance(found, Processor):
                raise RegistryError(f"{where} is no processor: decorate it with @processor")
            yield point.value, found


def _in_module(module: ModuleType) -> Iterator[Processor]:
    """Those that the module itself defines, or has taken over by importing them."""
    for value in list(vars(module).values()):
        found = getattr(value, "processor", None)
        if isinstance(found, Processor) and callable(value) and not isinstance(value, ModuleType):
            yield found


def _lacking(found: Processor) -> str:
    """What is not installed, in words, or nothing. The modules are looked for, not imported: that takes no time."""
    lacking = {module: brings for module, brings in found.requires.items() if importlib.util.find_spec(module) is None}
    return "; ".join(
        f"it needs {module}, which is not installed (pip install '{brings}')" for module, brings in lacking.items()
    )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
