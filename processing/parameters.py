"""A processor's parameters: keyword-only arguments become a pydantic model, a JSON Schema and a validation.

Pure. Bounds are written as `Annotated[int, Field(ge=1, le=1000)]`; Literal, Enum, lists, dates and models work too.
"""

import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, PydanticSchemaGenerationError, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo

from processing.errors import BadParams

_CONFIG = ConfigDict(
    extra="forbid", strict=True, validate_default=True, allow_inf_nan=False, arbitrary_types_allowed=False
)
_NOT_ALLOWED: dict[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


class HasParameters(Protocol):
    """A Processor, as far as this room needs one."""

    @property
    def name(self) -> str:
        """Its slug."""

    @property
    def parameters(self) -> type[BaseModel]:
        """What `model_of` made."""


def model_of(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    """The model of a function's keyword-only arguments; the first positional argument is the file.

    Raises TypeError or ValueError with one sentence for arguments that cannot be parameters, and for `async def`.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"Processor {name}: write `def`, not `async def`; it runs in a process of its own")
    given = list(inspect.signature(function).parameters.values())
    if not given or given[0].kind not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
        raise TypeError(
            f"Processor {name}: its first argument must be the file: def {function.__name__}(file: File, ...)"
        )
    hints = _hints(name, function)
    helps = descriptions(function.__doc__ or "")
    fields: dict[str, Any] = {}
    for argument in given[1:]:
        safe, field = _field(name, argument, hints, helps.get(argument.name))
        fields[safe] = field
    try:
        model: type[BaseModel] = create_model(f"{name} parameters", __config__=_CONFIG, **fields)
        model.model_json_schema()
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError) as error:
        reason = str(error).partition("\n")[0]
        raise TypeError(f"Processor {name}: a parameter's type cannot be described as JSON: {reason}") from None
    _check_defaults(name, model)
    return model


def _hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, PydanticUndefinedAnnotation) as error:
        raise TypeError(f"Processor {name}: an annotation cannot be read: {error}") from None


def _field(name: str, argument: inspect.Parameter, hints: Mapping[str, Any], text: str | None) -> tuple[str, Any]:
    where = f"Processor {name}: parameter {_NOT_ALLOWED.get(argument.kind, '')}{argument.name}"
    if argument.kind in _NOT_ALLOWED:
        raise TypeError(f"{where} takes anything; name each parameter after a `*`")
    if argument.kind is not inspect.Parameter.KEYWORD_ONLY:
        raise TypeError(f"{where} must be keyword-only: put a `*` before it")
    if argument.name.startswith("_"):
        raise ValueError(f"{where} must not begin with an underscore")
    if argument.name not in hints:
        raise TypeError(f"{where} needs an annotation, such as {argument.name}: int = 10")
    if isinstance(argument.default, FieldInfo):
        raise TypeError(f"{where}: write Annotated[type, Field(...)] = default, not Field(...) as the default")
    annotation = hints[argument.name]
    extras: dict[str, Any] = {}
    if text and not any(isinstance(m, FieldInfo) and m.description for m in getattr(annotation, "__metadata__", ())):
        extras["description"] = text
    safe = argument.name
    if hasattr(BaseModel, safe) or safe.startswith("model_"):  # such as `json` or `copy`: the model's own
        safe = f"parameter_{safe}"
        extras["alias"] = argument.name
    default = ... if argument.default is inspect.Parameter.empty else argument.default
    return safe, (Annotated[annotation, Field(**extras)] if extras else annotation, default)


def _check_defaults(name: str, model: type[BaseModel]) -> None:
    """Every default must pass its own bounds and survive the way to JSON and back: so a job's row can keep it."""
    for key, info in model.model_fields.items():
        if info.is_required():
            continue
        shown = info.alias or key
        one = create_model("Default", __config__=_CONFIG, **{key: (info.rebuild_annotation(), info)})  # type: ignore[call-overload]
        try:
            one.model_validate_json(one().model_dump_json(by_alias=True))
        except ValidationError as error:
            reason = _plain(error.errors(include_url=False)[0]["msg"])
            raise ValueError(
                f"Processor {name}: the default of {shown} is not a value of its own type: {reason}"
            ) from None
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"Processor {name}: the default of {shown} cannot be written as JSON: {reason}") from None


def descriptions(docstring: str) -> dict[str, str]:
    """`{name: help}` from the part of a docstring under "Parameters" or "Args:"; a help may go on in deeper lines."""
    found: dict[str, str] = {}
    lines = inspect.cleandoc(docstring).splitlines()
    starts = [
        i for i, line in enumerate(lines) if line.strip().lower().rstrip(":") in ("parameters", "args", "arguments")
    ]
    if not starts:
        return found
    name, depth = "", None
    for line in lines[starts[0] + 1 :]:
        indent = len(line) - len(line.lstrip())
        if not line.strip() or set(line.strip()) == {"-"}:
            continue
        begin = re.fullmatch(r"(\w+)\s*(\([^)]*\))?\s*:\s*(.*)", line.strip())
        if begin and (depth is None or indent == depth):
            name, depth = begin[1], indent
            found[name] = begin[3]
        elif name and depth is not None and indent > depth:
            found[name] = f"{found[name]} {line.strip()}".strip()
        else:
            break
    return {key: text for key, text in found.items() if text}


def validate(processor: HasParameters, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with every default filled in, as JSON values.

    Raises BadParams: its detail `field` is the parameter, its message says what is allowed.
    """
    model = _validated(processor, params)
    values: dict[str, Any] = model.model_dump(mode="json", by_alias=True)
    return values


def arguments(processor: HasParameters, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as Python values (enums, dates, models), ready to call the function with. Raises BadParams."""
    model = _validated(processor, params)
    return {info.alias or key: getattr(model, key) for key, info in type(model).model_fields.items()}


def _validated(processor: HasParameters, params: Mapping[str, Any]) -> BaseModel:
    try:
        return processor.parameters.model_validate_json(json.dumps(dict(params), allow_nan=False))
    except ValidationError as error:
        raise _bad_params(processor, error) from None
    except (TypeError, ValueError, RecursionError):
        raise BadParams("Parameters must be an object of plain JSON values.", field="") from None


def _bad_params(processor: HasParameters, error: ValidationError) -> BadParams:
    first = error.errors(include_url=False, include_context=False)[0]
    path = [str(part)[:100] for part in first["loc"]]
    if not path:
        return BadParams("Parameters must be an object of plain JSON values.", field="")
    name, field = processor.name, path[0]
    if first["type"] == "missing" and len(path) == 1:
        return BadParams(f"{name} needs the parameter {field}.", field=field)
    if first["type"] == "extra_forbidden" and len(path) == 1:
        known = [info.alias or key for key, info in processor.parameters.model_fields.items()]
        return BadParams(f"{name} has no parameter {field}. It has: {', '.join(known) or 'none'}.", field=field)
    place = field + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path[1:])
    return BadParams(f"{place}: {_plain(first['msg'])}.", field=field)


def _plain(message: str) -> str:
    """Pydantic's sentence without its jargon."""
    plain = message.removeprefix("Value error, ").replace(" after validation", "").rstrip(".")
    return re.sub(r"^(Input|String|List|Tuple|Dictionary|Value|Number) should ", "must ", plain)
