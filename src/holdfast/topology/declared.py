"""The root of everything that a person may write."""

from pydantic import BaseModel, ConfigDict


class Declared(BaseModel):
    """What a person wrote: frozen, and no key that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
