"""Who may call whom, and what every module keeps to; read from the source, file by file."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seqjax.types import AXES

ROOT = Path(__file__).parents[1] / "seqjax"
FILES = sorted(ROOT.rglob("*.py"))
SOURCE = {path: path.read_text() for path in FILES}
TREES = {path: ast.parse(text) for path, text in SOURCE.items()}

FLOORS = (
    ("types", "version"),
    ("data", "nn", "losses", "metrics", "decide"),
    ("models",),
    ("objectives", "optim"),
    ("train", "evaluate", "baselines", "recommender", "lifelong", "generation", "forecasting", "purchasing"),
    ("experiment", "manifest", "transfer", "report", "progress"),
    ("run", "profiling"),
    ("commands",),
    ("cli",),
)
"""Each room imports from floors below its own, and from its own floor where that makes no circle."""

FLAX = {
    "Dense",
    "LayerNorm",
    "Module",
    "compact",
    "initializers.lecun_normal",
    "initializers.ones",
    "initializers.zeros",
    "scan",
    "struct.PyTreeNode",
    "struct.field",
}
"""What a port to another module system would have to replace."""


def module_of(path):
    parts = ("seqjax", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports(tree):
    """Modules of seqjax that a file imports, at its top or inside a function; other packages by their full name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
    return found


GRAPH = {name: {at for at in imports(TREES[path]) if at.split(".")[0] == "seqjax"} for name, path in MODULES.items()}


def floor(module):
    room = module.split(".")[1]
    where = [level for level, rooms in enumerate(FLOORS) if room in rooms]
    assert where, f"{module} stands on no floor: give it one in FLOORS"
    return where[0]


def test_every_import_goes_down():
    for module, targets in GRAPH.items():
        if module == "seqjax":
            continue  # resolves its public names when they are used
        for target in targets - {"seqjax"}:
            assert floor(target) <= floor(module), f"{module} imports {target}, a floor above"


def test_no_circles():
    done, path = set(), []

    def visit(module):
        assert module not in path, f"a circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        for target in sorted(GRAPH.get(module, ())):
            visit(target)
        done.add(path.pop())

    for module in GRAPH:
        visit(module)


def test_rooms_that_know_little():
    for module, targets in GRAPH.items():
        rooms = {target.split(".")[1] for target in targets if "." in target}
        if module.startswith("seqjax.data"):
            assert rooms <= {"data"}, f"{module} imports {rooms}"
        if module.startswith("seqjax.train"):
            assert rooms <= {"train", "types"}, f"{module} imports {rooms}: training knows no model and no data set"
    for path, tree in TREES.items():
        assert not any(name.split(".")[0] == "experiments" for name in imports(tree)), path


@pytest.mark.parametrize("names", [
    "seqjax", "seqjax.data", "seqjax.data.events, seqjax.data.plan, seqjax.data.read, seqjax.data.prepare",
])  # fmt: skip
def test_import_brings_no_jax(names):
    code = f"import sys, {names}; print([name for name in ('jax', 'flax', 'optax') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_resolve():
    code = "import seqjax; [getattr(seqjax, name) for name in seqjax.__all__]; assert dir(seqjax)"
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)


def test_flax_surface():
    used = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                name = re.match(r"^(nn|struct)\.([\w.]+)$", ast.unparse(node))
                if name:
                    used.add(name[2] if name[1] == "nn" else f"struct.{name[2]}")
    used -= {name for name in used if any(other.startswith(f"{name}.") for other in used)}
    assert used <= FLAX, f"new Flax names {used - FLAX}: list them in FLAX, or do without"
    for path, tree in TREES.items():
        flax = {name for name in imports(tree) if name.split(".")[0] == "flax"}
        assert flax <= {"flax", "flax.linen"}, f"{path} imports {flax}"


ARRAYS = {"Array", "Bool", "Float", "Int", "Key", "Num", "Shaped", "UInt", "UInt8", "UInt32"}


def test_axes_are_those_of_the_list():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in ARRAYS):
                continue
            if not (isinstance(node.slice, ast.Tuple) and isinstance(node.slice.elts[-1], ast.Constant)):
                continue
            for axis in str(node.slice.elts[-1].value).split():
                known = axis == "..." or axis.startswith("*") or axis.isdigit() or axis in AXES
                assert known, f"{path}:{node.lineno}: axis {axis!r} is not in seqjax.types.AXES"


def test_everything_public_has_a_docstring():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                inner = any(node in parent.body for parent in ast.walk(tree) if isinstance(parent, ast.FunctionDef))
                assert inner or nested(tree, node) or ast.get_docstring(node), f"{path}:{node.lineno}: {node.name}"
        assert not tree.body or ast.get_docstring(tree), f"{path} has no docstring"


def nested(tree, node):
    """Whether a definition stands inside a function."""
    functions = [other for other in ast.walk(tree) if isinstance(other, ast.FunctionDef) and other is not node]
    return any(node in ast.walk(function) for function in functions)


def test_nothing_unpickles():
    for path, tree in TREES.items():
        assert not any(name.split(".")[0] in ("pickle", "cloudpickle", "dill", "joblib") for name in imports(tree)), (
            path
        )
        assert not re.search(r"allow_pickle\s*=\s*True", SOURCE[path]), path


def test_files_stay_small():
    long = {str(path.relative_to(ROOT)): text.count("\n") for path, text in SOURCE.items() if text.count("\n") > 300}
    assert not long, f"cut these where two subjects meet: {long}"


def test_no_setting_is_changed_at_import():
    for path, text in SOURCE.items():
        assert "jax.config.update" not in text, path
