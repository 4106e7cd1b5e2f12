"""An experiment is a value: public functions with keywords. Here it is read, changed by dotted name, and printed."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import runpy
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from seqjax.report.next_item import next_item_sections
from seqjax.report.tables import NEXT_ITEM
from seqjax.train.fit import Stop
from seqjax.train.step import no_draw
from seqjax.train.view import Views


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What one run is made of. Factories are functions or `functools.partial` of them, never lambdas.

    data: (seed=) -> Split. corpus: EventLog -> what the device holds. plan: (EventLog, seed=, epoch=) -> rows of steps.
    gather: (corpus, row) -> batch. draw: (key, batch, hparams) -> batch with negatives. model: (items=, ...) -> module,
    called with the sizes of the vocabularies. objective: see `types.Objective`, with a `model` keyword. optimizer:
    hparams -> optax transform, given the number of `steps` if it asks. evaluate: (model, params, log) -> Evaluation,
    for the test given what it asks of `train`, `validation`, `counts`, `baselines` and `seed`. sees_more: baselines
    that know more than the model does. headline: the metrics that are shown first. sections: what only this task shows
    on a page. score: (model, params, log) -> columns for `seqjax score`.
    """

    data: Callable[..., Any]
    corpus: Callable[..., Any]
    plan: Callable[..., Any]
    gather: Callable[..., Any]
    model: Callable[..., Any]
    objective: Callable[..., Any]
    optimizer: Callable[..., Any]
    hparams: Any
    evaluate: Callable[..., Any]
    views: Views
    draw: Callable[..., Any] = no_draw
    baselines: tuple[Callable[..., Any], ...] = ()
    sees_more: tuple[str, ...] = ()
    stop: Stop = Stop()  # noqa: RUF009
    chunk_steps: int = 200
    headline: tuple[str, ...] = NEXT_ITEM
    sections: Callable[..., Any] = next_item_sections
    score: Callable[..., Any] | None = None


def no_sections(results: Mapping[str, Any]) -> Sequence[str]:
    """No part of a study's page beside the table of means."""
    del results
    return ()


@dataclasses.dataclass(frozen=True)
class Study:
    """Experiments that belong together, each run with several seeds.

    headline: the metrics that are compared (default: those of the first experiment). sections: what the page shows
    beside the means, (experiment -> seed -> finished run) -> HTML.
    """

    experiments: Mapping[str, Experiment]
    seeds: int = 3
    headline: tuple[str, ...] = ()
    sections: Callable[[Mapping[str, Any]], Sequence[str]] = no_sections


KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "none"}
WORDS = {"true": True, "false": False, "none": None}  # as TOML and the command line write them


class SettingError(ValueError):
    """A setting has no such name or value."""


def read_experiment(path: Path) -> Experiment | Study:
    """Executes an experiment file and returns its `experiment` or `study`; raises SettingError if there is neither."""
    if not path.is_file():
        raise SettingError(f"{path}: no such experiment file")
    defined = runpy.run_path(str(path))
    for name, kind in (("experiment", Experiment), ("study", Study)):
        if isinstance(defined.get(name), kind):
            return defined[name]
    raise SettingError(f"{path} defines no `experiment` and no `study`: add `experiment = seqjax.Experiment(...)`")


def read_settings(path: Path) -> dict[str, Any]:
    """The values of a TOML file as dotted names; raises SettingError with the line if it is not TOML.

    A table's `function` names the function that stands there, its other entries are that function's keywords.
    """
    try:
        tree = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SettingError(f"{path}: no such file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: {error}") from None

    def flat(prefix: str, node: Any) -> dict[str, Any]:
        if not isinstance(node, dict):
            return {prefix: node}
        named = {prefix: node["function"]} if "function" in node else {}
        below = (flat(f"{prefix}.{key}", child) for key, child in node.items() if key != "function")
        return named | {name: leaf for leaves in below for name, leaf in leaves.items()}

    return {name.removeprefix("."): value for name, value in flat("", tree).items()}


def parse_setting(text: str) -> tuple[str, Any]:
    """Splits `dotted.name=value`; the value is a Python literal, true, false or none, or else the text itself.

    >>> parse_setting("model.features=(64, 32)")
    ('model.features', (64, 32))
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingError(f"--set {text}: write dotted.name=value")
    if value.lower() in WORDS:
        return name, WORDS[value.lower()]
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def override(value: Any, name: str, new: Any, whole: str | None = None) -> Any:
    """`value` with the setting of a dotted name replaced; an unknown name raises SettingError listing the valid ones.

    Reaches fields of dataclasses, keywords of functions and entries of dictionaries. Where a function stands, a string
    names another public function of its module.
    """
    whole = whole or name
    head, _, rest = name.partition(".")
    known = settings_of(value)
    if head not in known and not isinstance(value, Mapping):
        raise SettingError(f"{whole}: no setting {head!r}; there are {', '.join(sorted(known)) or 'none'}")
    old, new = known.get(head), tuple(new) if isinstance(new, list) else new
    if rest:
        new = override(old, rest, new, whole)
    elif callable(old) and isinstance(new, str):
        new = _neighbour(old, new, whole)
    else:
        _check_kind(_annotation(value, head), old, new, whole)
    if isinstance(value, Mapping):
        return {**value, head: new}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{head: new})
    return partial(value, **{head: new})


def settings_of(value: Any) -> dict[str, Any]:
    """What can be set inside a value, with the present settings."""
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if not callable(value):
        return {}
    bound = value.keywords if isinstance(value, partial) else {}
    hidden = {"parent", "name"} if inspect.isclass(_function(value)) else set()
    parameters = inspect.signature(_function(value)).parameters.values()
    return {
        p.name: bound.get(p.name, None if p.default is inspect.Parameter.empty else p.default)
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in hidden
    }


def describe(value: Any) -> Any:
    """A value as JSON: functions and structs become {"function": "module.name", keyword: value ...}."""
    if isinstance(value, partial) and value.args:
        raise SettingError(f"{_name(value.func)} is given values without names in the experiment: write name=value")
    if isinstance(value, partial):
        return {"function": _name(value.func), **{name: describe(v) for name, v in sorted(value.keywords.items())}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in ("parent", "name")]
        fields = {name: describe(getattr(value, name)) for name in names}
        return {"function": _name(type(value)), **fields}
    if callable(value):
        return {"function": _name(value)}
    if isinstance(value, Mapping):
        return {str(name): describe(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def resolve(described: Any) -> Any:
    """The value that `describe` printed. Only public names inside `seqjax` are looked up; nothing else is executed."""
    if isinstance(described, list):
        return tuple(resolve(v) for v in described)
    if not isinstance(described, Mapping):
        return described
    keywords = {name: resolve(v) for name, v in described.items() if name != "function"}
    if "function" not in described:
        return keywords
    function = _public(described["function"])
    if inspect.isclass(function) and dataclasses.is_dataclass(function) and not hasattr(function, "apply"):
        return function(**keywords)
    return partial(function, **keywords) if keywords else function


def call(function: Callable[..., Any], *arguments: Any, **offered: Any) -> Any:
    """Calls a factory with those of the offered keywords that it takes and that its `partial` has not fixed."""
    parameters = inspect.signature(_function(function)).parameters
    bound = function.keywords if isinstance(function, partial) else {}
    return function(*arguments, **{k: v for k, v in offered.items() if k in parameters and k not in bound})


def _function(value: Any) -> Callable[..., Any]:
    return value.func if isinstance(value, partial) else value


def _name(function: Callable[..., Any]) -> str:
    if function.__name__ == "<lambda>":
        raise SettingError("a lambda stands in the experiment: use functools.partial of a named function")
    return f"{function.__module__}.{function.__qualname__}"


def _public(name: str) -> Callable[..., Any]:
    """A public function or class of seqjax, by the full name under which it was defined."""
    module, _, last = name.rpartition(".")
    refused = SettingError(f"{name} is not a public function of this version of seqjax: only those are looked up")
    if module.split(".")[0] != "seqjax" or any(part.startswith("_") for part in name.split(".")):
        raise refused
    try:
        found = getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError):
        raise refused from None
    if not callable(found) or found.__module__ != module:
        raise refused
    return found


def _neighbour(old: Any, name: str, whole: str) -> Callable[..., Any]:
    """Another public function of the module that the present one comes from."""
    module = importlib.import_module(_function(old).__module__)
    own = {n: f for n, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__}
    names = sorted(n for n, f in own.items() if callable(f) and n[0] != "_")
    if name not in names:
        raise SettingError(f"{whole}: no {name!r} in {module.__name__}; there are {', '.join(names)}")
    return getattr(module, name)


def _annotation(value: Any, name: str) -> Any:
    """The declared kind of a setting; None where nothing is declared."""
    if isinstance(value, Mapping):
        return None
    owner = _function(value) if callable(value) else type(value)
    try:
        return get_type_hints(owner).get(name)
    except (NameError, TypeError):  # names that only a type checker imports
        return None


def _check_kind(annotation: Any, old: Any, new: Any, whole: str) -> None:
    """Refuses a value of none of the declared plain kinds or, where none is plain, of another kind than the present."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [kind for kind in kinds if kind in KINDS or get_origin(kind) in (Literal, tuple)]
    kinds = kinds or ([type(old)] if old is not None else [])
    if kinds and not any(_fits(new, kind) for kind in kinds):
        raise SettingError(f"{whole}={new!r}: expected {' or '.join(map(_in_words, kinds))}")


def _fits(new: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return new in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(new, tuple) and all(_fits(entry, get_args(kind)[0]) for entry in new)
    if isinstance(new, bool):
        return kind is bool
    return isinstance(new, (int, float) if kind is float else kind)


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        return "several values: (first, second)"
    function = issubclass(kind, (partial, FunctionType, type))
    return KINDS.get(kind, "the name of a function" if function else f"a {kind.__name__}")
