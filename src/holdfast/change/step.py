"""One step of a planned change, as data that can be printed, compared and carried out."""

from dataclasses import dataclass
from typing import Literal

Verb = Literal[
    "boot", "place", "start", "in service", "in rotation", "reload", "taken", "hand over", "stop", "drain", "configure", "settle",
    "password", "adopt",
]
_SAID: dict[Verb, str] = {
    "boot": "boot {at}",
    "place": "place the files of {at}",
    "start": "start {at}",
    "in service": "wait until {at} is in service",
    "in rotation": "wait until balancers send to {at}",
    "reload": "reload {at}",
    "taken": "wait until {at} works by its new files",
    "hand over": "hand over if {at} leads",
    "stop": "stop {at}",
    "drain": "wait until nobody is connected to {at}",
    "configure": "set what the members of {at} share",
    "settle": "restart the members of {at} that wait for it, standbys first",
    "password": "give the user of {at} its new password",
    "adopt": "the service is the new one from here on",
}


@dataclass(frozen=True, slots=True)
class Step:
    """at: a host (boot), a process, or a tier (configure, settle, password); "" for adopt."""

    do: Verb
    at: str = ""

    def __str__(self) -> str:
        return _SAID[self.do].format(at=self.at)
