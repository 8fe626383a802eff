"""What is told of a service that does not start."""

import pytest

from holdfast.drills.steady import collapsed

ERROR = ["Traceback", "  File app.py", "KeyError: 'x'"]


@pytest.mark.parametrize(("lines", "told"), [
    ([], []),
    (["a", "b", "a"], ["a", "b", "a"]),
    (["no such file"] * 8, ["no such file  (8 times)"]),
    (["began", *ERROR * 3, "the end"], ["began", *ERROR[:2], "KeyError: 'x'  (3 times)", "the end"]),
    (["a", "a", "b", "b", "b"], ["a  (2 times)", "b  (3 times)"]),
    (["x"], ["x"]),
])
def test_what_was_printed_again_and_again_is_told_once(lines: list[str], told: list[str]) -> None:
    assert collapsed(lines) == told
