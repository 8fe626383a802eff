"""Wrappers that call as plainly as the function they wrap: one template, cut to the parameters of each function.

A wrapper that takes `*args, **kwargs` pays on every call for a tuple, a dictionary, and a call that the interpreter does not
inline.  So a template names three slots, and calls with as many of them as the function has parameters:

    def wrapper(a, b, c):
        return (
            (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
            else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
        )

`cut` makes of it a function whose first slots have the names and the defaults of the function's own parameters, and which has no
parameters besides, so that the interpreter itself binds keywords, fills in defaults and refuses what does not fit.  For any other
callable the arity is None, and the first two slots become `*args` and `**kwargs`.

Rules: only what is documented of code objects (`replace`, the order of `co_varnames`), and no text is compiled, so debuggers and
coverage see the template's own lines.  Its variables get a dot in front of their names, as those of comprehensions have: no
parameter can be called like that.  A template makes no closure over its slots.  One number is asked for, not a flag for each
arity, because a coroutine pays for every variable of its closure.  Passing on an empty dictionary makes the interpreter build
another one: hence the two calls where there may be keywords.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = ["arity_of", "cut"]

_SLOTS = 3
_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of a code object, as in the module inspect
_Function: Any = type(lambda: None)  # without importing `types`


def arity_of(function: Callable[..., Any]) -> int | None:
    """How many parameters a function has, at most three, all of which may be given by position; None for any other callable."""
    if type(function) is not _Function:
        return None
    code: CodeType = function.__code__
    simple = not (code.co_kwonlyargcount or code.co_flags & (_VARARGS | _VARKEYWORDS))
    return code.co_argcount if simple and code.co_argcount <= _SLOTS else None


def cut(template: Any, function: Any, arity: int | None) -> Any:
    """The template as a wrapper of the function.  Parameters and defaults are those that the function has now."""
    made = _Function(_code(template.__code__, function, arity), template.__globals__, None, None, template.__closure__)
    if arity is not None:
        made.__defaults__ = function.__defaults__
    return made


def _code(code: CodeType, function: Any, arity: int | None) -> CodeType:
    given: tuple[str, ...]
    if arity is None:
        given, positional, positional_only, flags = ("args", "kwargs"), 0, 0, code.co_flags | _VARARGS | _VARKEYWORDS
    else:
        of = function.__code__
        given, positional, positional_only, flags = of.co_varnames[:arity], arity, of.co_posonlyargcount, code.co_flags
    return code.replace(
        co_argcount=positional, co_posonlyargcount=positional_only, co_flags=flags,
        co_varnames=(*given, *(f".{name}" for name in code.co_varnames[len(given):])),
        co_freevars=tuple(f".{name}" for name in code.co_freevars),
    )  # fmt: skip
