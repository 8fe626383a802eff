"""The rules of the house as pure functions over source text.  Each returns what breaks the rule, as `file:line what`."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"

# Which room may import which; a room may always import itself, `errors` and `quantities`.
EVERYWHERE = frozenset({"errors", "quantities"})
LAYERS: Mapping[str, frozenset[str]] = {
    "errors": frozenset(),
    "quantities": frozenset(),
    "blueprint": frozenset(),
    "record.event": frozenset(),
    "record": frozenset({"record.event"}),
    "topology": frozenset(),
    "documents": frozenset(),
    "engines": frozenset({"topology", "documents", "blueprint"}),
    "plan": frozenset({"topology", "engines", "blueprint"}),
    "change": frozenset({"topology", "engines", "plan", "blueprint"}),
    "predict": frozenset({"topology", "engines"}),
    "lint": frozenset({"documents", "engines", "topology"}),
    "lab": frozenset({"blueprint", "record.event", "lab.verbs"}),
    "lab.verbs": frozenset({"blueprint"}),
    "faults": frozenset({"lab.verbs", "record.event", "blueprint"}),
    "probes": frozenset({"lab.verbs", "record.event", "blueprint"}),
    "drills": frozenset({
        "topology", "engines", "plan", "change", "faults", "probes", "record", "record.event", "lab.verbs", "blueprint",
    }),
    "report": frozenset({"record", "record.event", "predict"}),
    "watch": frozenset({"topology", "engines", "runtime"}),
    "chaostoolkit": frozenset({"lab"}),
    "runtime": frozenset(),
}
ANYTHING = frozenset({"cli", "__main__"})
NO_ERRORS_EITHER = frozenset({"runtime", "errors"})  # the standard library only

# Where the wall clock may be read: to stamp what is stored, and to judge a certificate, which knows no other: `file:function`.
STAMPS = frozenset({
    "cli/describe.py:describe", "cli/service.py:new_folder", "cli/watch.py:wall_s", "runtime/health/network.py:days_left",
    "runtime/extras/election_kubernetes.py:_stamp", "cli/certificates.py:today",
})

LINES_OF_A_FILE = 300
LINES_OF_A_FUNCTION = 60
# The ratchet: what was longer when the rule came, with its length then.  Entries may shrink and go, never grow or be added.
LONGER: Mapping[str, int] = {}

# Written so that this file does not break its own rule.
FOREIGN_WORDS = re.compile(
    r"/hom[e]/(?!(?:you|user|someone)\b)[a-z]\w*|/User[s]/\w|(?<![\w.])/wor[k]/|/tm[p]/x/|/roo[t]/\.\w"
    r"|LAB-NOTE[S]|DESIGN\.m[d]|STYLE\.m[d]|DESIGN sectio[n]|\bthe brie[f]\b"
)
TEXTS = frozenset({"", ".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".cfg", ".css", ".js", ".json", ".txt", ".html"})
NOT_OURS = re.compile(r"(^|/)(\.git|\.venv|__pycache__|\.\w+_cache|\.hypothesis|build|dist|runs|[^/]+\.egg-info)(/|$)")


def modules() -> dict[str, str]:
    """Path below src/holdfast to text, of every module."""
    house = SOURCE / "holdfast"
    return {str(path.relative_to(house)): path.read_text() for path in sorted(house.rglob("*.py"))}


def texts() -> dict[str, str]:
    """Every file of the repository that a person may read."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.is_file() and path.suffix in TEXTS and not NOT_OURS.search(name):
            found[name] = path.read_text(errors="replace")
    return found


def room_of(module: str) -> str:
    """`holdfast.lab.verbs` is in `lab.verbs`, `holdfast.lab.linux` in `lab`, `holdfast` itself in none."""
    parts = module.split(".")[1:]
    two = ".".join(parts[:2])
    return two if two in LAYERS else (parts[0] if parts else "")


def module_of(file: str) -> str:
    parts = ["holdfast", *file.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and module of ours for every import, wherever it stands: relative, in a function, under TYPE_CHECKING, by name."""
    package = module_of(file).split(".")
    if not file.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from holdfast import lab` and `from holdfast.lab import verbs` name a module each; a plain name does no harm.
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                names = [str(node.args[0].value)]
        for name in names:
            if name == "holdfast" or name.startswith("holdfast."):
                yield getattr(node, "lineno", 0), name


def forbidden_imports(files: Mapping[str, str]) -> list[str]:
    wrong = []
    for file, text in files.items():
        room = room_of(module_of(file))
        if room in ANYTHING:
            continue
        # `import holdfast` itself loads nothing more.
        allowed = LAYERS.get(room, frozenset()) | {room, ""}
        if room and room not in NO_ERRORS_EITHER:
            allowed |= EVERYWHERE
        if room and "." not in room:
            # Parts of the room that have an entry of their own.
            allowed |= {name for name in LAYERS if name.startswith(f"{room}.")}
        for line, name in imports_of(file, text):
            if room_of(name) not in allowed:
                wrong.append(f"{file}:{line} {room or 'holdfast'} imports {name}")
    return wrong


def unknown_rooms(files: Mapping[str, str]) -> list[str]:
    return sorted({file for file in files if (room := room_of(module_of(file))) and room not in LAYERS and room not in ANYTHING})


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def wall_clocks(files: Mapping[str, str], stamps: frozenset[str] = STAMPS) -> list[str]:
    """Every use of a name that reads the wall clock, called or handed on, outside of the functions that stamp."""
    wrong = []
    for file, text in files.items():
        tree = ast.parse(text)
        allowed = {
            line for function in functions_of(tree) if f"{file}:{function.name}" in stamps
            for line in range(function.lineno, (function.end_lineno or 0) + 1)
        }
        for node in ast.walk(tree):
            found = ""
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if (owner == "time" and node.attr in ("time", "time_ns")) or (
                    owner in ("datetime", "date") and node.attr in ("now", "utcnow", "today")):
                    found = f"{owner}.{node.attr}"
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                found = ", ".join(f"time.{alias.name}" for alias in node.names if alias.name in ("time", "time_ns"))
            if found and node.lineno not in allowed:  # type: ignore[attr-defined]
                wrong.append(f"{file}:{node.lineno} {found}")  # type: ignore[attr-defined]
    return wrong


def stray_prints(files: Mapping[str, str]) -> list[str]:
    return [
        f"{file}:{node.lineno} print"
        for file, text in files.items() if room_of(module_of(file)) not in ("report", *ANYTHING)
        for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id == "print"
    ]


def module_state(files: Mapping[str, str]) -> list[str]:
    return [
        f"{file}:{node.lineno} global {', '.join(node.names)}"
        for file, text in files.items() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Global)
    ]


def lost_cancellations(files: Mapping[str, str]) -> list[str]:
    """Before Python 3.12 `asyncio.wait_for` gives the result where a cancellation comes with it: a loop around it never ends."""
    return [
        f"{file}:{node.lineno} wait_for; write `async with asyncio.timeout(...)`"
        for file, text in files.items() if not file.startswith("runtime/") for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "wait_for" and isinstance(node.value, ast.Name)
        and node.value.id == "asyncio"
    ]  # fmt: skip


def too_long(files: Mapping[str, str], longer: Mapping[str, int] = LONGER) -> list[str]:
    wrong = []
    for file, text in files.items():
        lines = len(text.splitlines())
        if lines > longer.get(file, LINES_OF_A_FILE):
            wrong.append(f"{file} has {lines} lines")
        for function in functions_of(ast.parse(text)):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > longer.get(f"{file}:{function.name}", LINES_OF_A_FUNCTION):
                wrong.append(f"{file}:{function.lineno} {function.name} has {length} lines")
    return wrong


def without_docstring(files: Mapping[str, str]) -> list[str]:
    """An empty `__init__.py` says enough."""
    return [
        file for file, text in files.items()
        if not ast.get_docstring(ast.parse(text)) and (text.strip() or not file.endswith("__init__.py"))
    ]


def foreign_words(files: Mapping[str, str]) -> list[str]:
    return [
        f"{file}:{number} {found[0]}"
        for file, text in files.items() for number, line in enumerate(text.splitlines(), 1)
        if (found := FOREIGN_WORDS.search(line))
    ]
