"""Strike and mend, as actions of an experiment and as its rollback."""

import json
from collections.abc import Mapping
from typing import Any

from holdfast.chaostoolkit.asking import answer, duration_s

__all__ = ["mend", "strike"]


def strike(
    drill: Mapping[str, Any] | str, patience: str = "60s", configuration: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Break the service, and prove it.  With `for` in the drill it is mended too, and this ends when the service stands again.

    drill: as under `drills:` of a topology, `{"fault": "kill", "tier": "web", "target": "one", "for": "10s"}`, or a fault's name.
    patience: how long to wait for the steady state before it.

    Returns drill, struck and proof; with `for` also outcome and lost_writes.  Fails where the steady state does not hold,
    the strike could not be proven, or what was broken could not be mended.
    """
    text = drill if isinstance(drill, str) else json.dumps(dict(drill))  # every JSON is YAML
    return answer({"do": "strike", "drill": text, "patience_s": duration_s(patience)}, configuration)


def mend(configuration: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """End what `strike` began; ends itself when the service stands again and its nodes were audited.

    Returns outcome and lost_writes.  Where nothing is struck, nothing is done: as a rollback it may always stand.
    """
    return answer({"do": "mend"}, configuration)
