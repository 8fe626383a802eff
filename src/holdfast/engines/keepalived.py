"""keepalived: holds a virtual IP on one of a tier's hosts, and moves it when the host or its balancer is gone.

Nobody writes this tier: `vip: 10.0.1.100` on a tier adds it, on the same hosts, named after the tier with `-vip`; its keys are
written there as well.

    entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, vip_settings: {advert: 50ms}, routes: {http: web}}
"""

import shlex
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from holdfast.blueprint import File, Process, Restart, Site
from holdfast.documents import braces
from holdfast.documents.line import Line, line
from holdfast.engines import envoy, haproxy, nginx
from holdfast.engines.engine import Actions, Delay, Questions
from holdfast.engines.shared import has_own_config, notice, objection
from holdfast.errors import Problem
from holdfast.quantities import Duration
from holdfast.topology.model import Declared, Instance, Topology

PROGRAMS = ("keepalived",)
SERVES: tuple[str, ...] = ()
ROUTES: tuple[str, ...] = ()

FILE = "/etc/keepalived/keepalived.conf"
BESIDE_CONFIG: tuple[str, ...] = ()
CHECK = "/etc/keepalived/check.sh"
SUFFIX = "-vip"
FIRST_PRIORITY = 150
FIRST_ROUTER = 51
HOME_S = 30
"""How long a host must be back before an address goes home to it, where there are two."""
CHECK_INTERVAL_S = 1
CHECK_FALL = 2
CHECK_TIMEOUT_S = 1

# Where each balancer says on its own host that it lives.
_HEALTH: Mapping[str, tuple[int, str]] = {
    "haproxy": (haproxy.HEALTH_PORT, haproxy.HEALTH_PATH),
    "nginx": (nginx.HEALTH_PORT, nginx.HEALTH_PATH),
    "envoy": (envoy.ADMIN_PORT, "/ready"),
}


class Settings(Declared):
    advert: Duration = 0.1
    """How often the holder of the address says that it is there."""
    interface: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,15}$")] = "eth0"
    """The network card that bears the address."""


def balancer_of(tier: str) -> str:
    """The tier whose virtual IP this one holds."""
    return tier.removesuffix(SUFFIX)


def _settings(tier: str, topology: Topology) -> Settings:
    # The loader may leave a derived tier without settings.
    return topology.tiers[tier].settings or Settings()


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    return {
        FILE: File(text=_config(instance, topology, site)),
        CHECK: File(text=_check(instance, topology, site), mode=0o755),
    }


def _config(instance: Instance, topology: Topology, site: Site) -> str:
    balancer = balancer_of(instance.tier)
    others = [other for other in topology.instances_of(instance.tier) if other.host != instance.host]
    peers = tuple(line(site.address(other.host, other.address)) for other in others)
    derived = [name for name, tier in topology.tiers.items() if tier.engine == "keepalived"]
    address = site.address(instance.host, instance.address)
    return braces.dump(
        (
            line("global_defs", body=(
                line("router_id", instance.host),
                line("vrrp_version", 3, why="Version 2 counts adverts in whole seconds."),
                line("enable_script_security", why="A check that others than root could write is not run."),
                line("script_user", "root"),
                line("vrrp_garp_master_refresh", 10, why="s. A switch or a neighbour that forgot learns the address again."),
            )),
            line("vrrp_script", "balancer", body=(
                line("script", site.path(instance.host, CHECK)),
                line("interval", CHECK_INTERVAL_S),
                line("timeout", CHECK_TIMEOUT_S),
                line("fall", CHECK_FALL),
                line("rise", 1),
            ), why="No weight: a host whose balancer does not answer gives the address up, whatever the priorities."),
            *(
                _instance(instance, topology, number, FIRST_ROUTER + derived.index(instance.tier) + number * len(derived), (
                    line("unicast_src_ip", address, why="Unicast: clouds and many switches drop multicast."),
                    *((line("unicast_peer", body=peers),) if peers else ()),
                ))
                for number in range(len(topology.tiers[balancer].vips))
            ),
        ),
        header=notice(instance, topology, site),
    )


def _instance(instance: Instance, topology: Topology, number: int, router: int, unicast: tuple[Line, ...]) -> Line:
    """For one of the addresses of the tier: the first is at home on the first host, the second on the last one."""
    settings, balancer = _settings(instance.tier, topology), balancer_of(instance.tier)
    declared = topology.tiers[balancer]
    rank = instance.number if number == 0 else declared.replicas - instance.number + 1
    stays = line("nopreempt", why="A host that comes back does not take the address back: each move breaks connections.")
    goes_home = line("preempt_delay", HOME_S,
                     why="s. The address goes home, or one host would serve for both; not at once, or a host that comes and\n"
                         "goes would break connections each time.")
    return line("vrrp_instance", balancer if number == 0 else f"{balancer}-second", body=(
        line("state", "BACKUP"),
        goes_home if declared.second_vip else stays,
        line("interface", settings.interface),
        line("virtual_router_id", router),
        line("priority", FIRST_PRIORITY - rank + 1),
        line("advert_int", f"{settings.advert:g}",
             why="s. Three adverts missed, and the next host takes over: the outage when a balancer's host is lost."),
        *unicast,
        line("virtual_ipaddress", body=(
            line(f"{declared.vips[number]}/{topology.network.prefixlen}", "dev", settings.interface),
        )),
        line("track_script", body=(line("balancer"),)),
    ))


def _check(instance: Instance, topology: Topology, site: Site) -> str:
    """bash alone, because a small host has neither curl nor wget."""
    port, path = _health(instance.tier, topology)
    comments = [f"# {text}" for text in notice(instance, topology, site)]
    return "\n".join([
        "#!/bin/bash",
        *comments,
        "# Ends with 0 only if the balancer's own loop answers; a process that merely exists may hang.",
        f"exec 3<>/dev/tcp/127.0.0.1/{site.port(port)} || exit 1",
        f"printf 'GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' {shlex.quote(path)} >&3",
        "read -r -t 0.8 answer <&3 || exit 1",
        '[[ $answer == HTTP/*" 200"* ]]',
        "",
    ])


def _health(tier: str, topology: Topology) -> tuple[int, str]:
    declared = topology.tiers[balancer_of(tier)]
    if declared.engine == "command":
        return declared.settings.port, declared.settings.health
    return _HEALTH[declared.engine]


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    program = site.program("keepalived").path
    path = site.path(instance.host, FILE)
    return Process(
        name=instance.name,
        host=instance.host,
        argv=(program, "--dont-fork", "--log-console", "--vrrp", "--use-file", path),
        files=files(instance, topology, site),
        check=(program, "--config-test", "--use-file", path),
        restart=Restart(delay_s=0.1),
    )


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    advert_s = _settings(tier, topology).advert
    # The last host in line waits longest: RFC 5798, 6.1, Skew_Time = (256 - priority) * advert / 256.
    lowest = FIRST_PRIORITY - topology.tiers[tier].replicas + 1
    skew_s = (256 - lowest) * advert_s / 256
    return (
        Delay(
            step="vip_missed", name="the virtual IP's host is missed",
            low_s=2 * advert_s, high_s=3 * advert_s + skew_s, setting="vip_settings.advert",
            source="RFC 5798, 6.1: Master_Down_Interval = 3 * advert + skew",
        ),
        Delay(
            step="vip_released", name="a dead balancer's host gives the virtual IP up",
            low_s=(CHECK_FALL - 1) * CHECK_INTERVAL_S,
            high_s=CHECK_FALL * CHECK_INTERVAL_S + CHECK_TIMEOUT_S + skew_s, setting="vrrp_script interval, timeout, fall",
            source="keepalived.conf(5): vrrp_script, begun at each interval however long the last one took; then an advert of "
                   "priority 0, and a backup's skew (RFC 5798, 6.4.2)",
        ),
        Delay(step="learned", name="neighbours learn the new host", low_s=0.0, high_s=0.1, kind="work",
              source="gratuitous ARP; measured"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    declared = topology.tiers[balancer_of(instance.tier)]
    first, last = instance.number == 1, instance.number == declared.replicas
    home = declared.vip if first else declared.second_vip if last else None
    return Questions(holds=str(declared.vip), home=str(home) if home and declared.second_vip else "")


def actions(instance: Instance, topology: Topology) -> Actions:
    return Actions(reloads="HUP", reloaded="Reloading")


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return ()


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    found: list[Problem] = []
    balancer = balancer_of(tier)
    if balancer not in topology.tiers or topology.tiers[balancer].vip is None:
        found.append(objection(
            topology, tier, "engine", "keepalived has no virtual IP to hold", "write `vip:` on the tier that needs one instead",
        ))
    elif topology.tiers[balancer].engine not in (*_HEALTH, "command"):
        found.append(objection(
            topology, balancer, "vip", f"a virtual IP in front of {topology.tiers[balancer].engine} cannot tell who may serve",
            "put a balancer in front and give that the virtual IP",
        ))
    elif topology.tiers[balancer].replicas == 1:
        found.append(objection(
            topology, balancer, "vip", "a virtual IP on one host has nowhere to go", "use 2 replicas, or remove `vip:`",
        ))
    if _settings(tier, topology).advert < 0.01:
        found.append(objection(topology, tier, "advert", "keepalived sends no more than 100 adverts a second", "use 100ms"))
    return tuple(found)
