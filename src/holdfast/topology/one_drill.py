"""One drill as a person writes it on a command line: `kill`, or `{fault: freeze, tier: web, target: one, for: 10s}`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from holdfast.errors import Problem, Refused
from holdfast.topology.load import Kinds
from holdfast.topology.model import Drilled
from holdfast.topology.reading import Reading, understood
from holdfast.topology.wording import shown, translated, unknown

WHERE = "drill"


def one_drill(text: str, kinds: Kinds) -> Drilled:
    """The same keys as under `drills:` of a topology.  Raises Refused with every problem."""
    reading = understood(text, file=WHERE, folder=Path())
    raw = {"fault": reading.value} if isinstance(reading.value, str) else reading.value
    if not isinstance(raw, dict):
        raise Refused(Problem(f"a drill is made of keys and values, not {shown(raw)}", WHERE, "write {fault: kill, tier: web}"))
    fault = raw.get("fault")
    if isinstance(fault, str) and fault not in kinds.faults:
        raise Refused([*reading.problems, unknown("fault", fault, kinds.faults, WHERE)])
    model = kinds.faults[fault] if isinstance(fault, str) else None
    own = {key for name, about in model.model_fields.items() for key in (name, about.alias) if key} if model else set()
    problems = list(reading.problems)
    common = _made(Drilled, {key: value for key, value in raw.items() if key not in own}, reading, problems, sorted(own))
    settings = _made(model, {key: value for key, value in raw.items() if key in own}, reading, problems, []) if model else None
    if problems:
        raise Refused(problems)
    assert common
    return common.model_copy(update={"settings": settings})


def _made(model: type[BaseModel], raw: dict[str, Any], reading: Reading, problems: list[Problem], also: list[str]) -> Any:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems += translated(error, model, reading, (), also)
        return None
