"""A well-written topology that makes no sense is told so, whatever its engines."""

import pytest
from small_kinds import SHOP, changed, loaded, told

from holdfast.topology.check import check


def test_the_shop_makes_sense(tmp_path):
    assert check(loaded(tmp_path)) == ()


@pytest.mark.parametrize(("change", "expected"), [
    # names of tiers and clients
    (("http: web", "http: wbe"), [
        "11:14 there is no tier 'wbe'; did you mean 'web'?", "12:3 nobody routes to, uses or probes web"]),
    (("http: web", "http: entry"), ["11:14 entry routes to itself", "12:3 nobody routes to, uses or probes web"]),
    (("http: web", "http: entry-vip"), [
        "11:14 there is no tier 'entry-vip'", "12:3 nobody routes to, uses or probes web"]),
    (("uses: {db:", "uses: {bd:"), ["12:67 there is no tier 'bd'; did you mean 'db'?"]),
    (("consensus: etcd", "consensus: ectd"), [
        "13:54 there is no tier 'ectd'; did you mean 'etcd'?", "14:3 nobody routes to, uses or probes etcd"]),
    (("on: db", "on: dbs"), ["14:24 there is no tier 'dbs'; did you mean 'db'?"]),
    (("on: db", "on: etcd"), ["14:24 etcd lodges on itself"]),
    (("http://entry/", "http://entri/"), ["16:11 there is no tier 'entri'; did you mean 'entry'?"]),
    (("ledger: db", "ledger: bd"), ["17:12 there is no tier 'bd'; did you mean 'db'?"]),
    (("entry, from: client", "entry, from: clinet"), ["17:40 there is no client 'clinet'; did you mean 'client'?"]),
    (("for: 10s", "tier: wep"), ["19:38 there is no tier 'wep'; did you mean 'web'?"]),
    (("{zone: a}", "{zone: d}"), ["5:20 there is no zone 'd'"]),
    # hosts and their number
    (("replicas: 2", "replicas: 0"), ["9:5 entry has 0 replicas"]),
    (("replicas: 2", "replicas: -1"), ["9:5 entry has -1 replicas"]),
    (("replicas: 2", "replicas: 1000000000"), ["9:5 entry has 1000000000 replicas"]),
    (("on: db", "on: db, replicas: 5"), ["14:32 etcd has 5 instances, but db has only 3 hosts"]),
    (("consensus: etcd}", "consensus: etcd, on: etcd}"), ["13:71 these tiers lodge on each other: db on etcd on db"]),
    (("on: db}", "on: db}\n  two: {engine: etcd, on: db}"), [
        "15:3 nobody routes to, uses or probes two", "15:23 etcd and two are both etcd on the same hosts"]),
    # names
    (("service: shop", "service: My Shop"), ["1:1 the service name 'My Shop' cannot be a host name"]),
    (("{client: {zone: a}}", "{client: , far_away: , -x: , \"12\": , localhost: }"), [
        f"5:{column} the client name {name!r} cannot be a host name"
        for column, name in ((21, "far_away"), (33, "-x"), (39, "12"), (47, "localhost"))]),
    (("{client: {zone: a}}", "{client: , " + "x" * 64 + ": }"), [f"5:21 the client name '{'x' * 57}...' cannot be a host name"]),
    (("{client: {zone: a}}", "{client: , db1: , web: }"), [
        "5:21 db1 is both a client and a host of the tier db", "5:28 web is both a client and the tier web"]),
    (("on: db}", "on: db}\n  db1: {engine: command, run: x, routes: {http: web}}"), [
        "13:3 db1 is both a host of the tier db and the tier db1"]),
    (("zones: [a, b, c]", "zones: [a, b, 'c d']"), ["4:15 'c d' cannot be the name of a zone"]),
    (("zones: [a, b, c]", "zones: [a, b, a]"), ["4:1 the zone a is listed twice"]),
    (("  pages:", "  my pages:"), ["16:3 'my pages' cannot be the name of a probe"]),
    # addresses
    (("10.0.1.0/24", "10.0.1.0/25"), ["3:1 the network 10.0.1.0/25 is too small: client would have 10.0.1.201"]),
    (("10.0.1.0/24", "10.0.1.0/28"), [
        "3:1 the network 10.0.1.0/28 is too small: web1 would have 10.0.1.21",
        "10:5 the virtual IP 10.0.1.100 is outside of the network 10.0.1.0/28"]),
    (("network: 10.0.1.0/24", "network: 0.0.0.0/0"), ["3:1 hosts cannot have addresses of 0.0.0.0/0"]),
    (("10.0.1.0/24", "127.0.1.0/24"), [
        "3:1 hosts cannot have addresses of 127.0.1.0/24",
        "10:5 the virtual IP 10.0.1.100 is outside of the network 127.0.1.0/24"]),
    (("10.0.1.100", "10.0.2.100"), ["10:5 the virtual IP 10.0.2.100 is outside of the network 10.0.1.0/24"]),
    (("10.0.1.100", "10.0.1.255"), ["10:5 the virtual IP 10.0.1.255 is outside of the network 10.0.1.0/24"]),
    (("10.0.1.100", "10.0.1.31"), ["10:5 the virtual IP 10.0.1.31 belongs to db1 already"]),
    (("vip: 10.0.1.100", "vip: 10.0.1.100\n    second_vip: 10.0.1.100"), [
        "11:5 the virtual IP 10.0.1.100 belongs to the tier entry already"]),
    (("vip: 10.0.1.100", "second_vip: 10.0.1.100"), ["10:5 there is no first virtual IP beside the second"]),
    (("replicas: 3, run", "vip: 10.0.1.100, run"), ["12:26 the virtual IP 10.0.1.100 belongs to the tier entry already"]),
    (("replicas: 3, run", "replicas: 70, run"), []),
    (("{client: {zone: a}}", "{" + ", ".join(f"c{n}c: " for n in range(60)) + ", client: }"), [
        "3:1 the network 10.0.1.0/24 is too small: c54c would have 10.0.1.255"]),
    # probes
    (("every: 20ms", "every: 0"), ["17:54 the probe orders asks every 0 s"]),
    (("every: 20ms", "every: 2m"), [
        "17:54 the probe orders asks every 120 s: its 20 good answers in a row, which count as calm, would take longer than a "
        "steady service is waited for"]),
    # numbers
    (("lost_writes: 0", "lost_writes: -1"), ["2:55 the objective lost_writes is negative"]),
    (("retries: 1", "retries: -1"), ["12:85 retries is negative"]),
    (("retries: 1", "retry_budget: 0%"), ["12:85 a retry budget of 0% allows no retry"]),
    (("retries: 1", "ejection: {for: 0}"), ["12:96 an instance ejected for 0 s is not ejected"]),
    (("timeout: 2s", "timeout: 0"), ["12:72 a timeout of 0 s lets no call succeed"]),
])
def test_each_piece_of_nonsense_is_told_where_it_is(tmp_path, change, expected):
    assert told(tmp_path, changed(change)) == expected


def test_a_file_without_probes_would_measure_nothing(tmp_path):
    without = SHOP.split("probes:")[0]
    assert told(tmp_path, without) == ["1:1 there are no probes: nothing would be measured"]
    assert told(tmp_path, without + "probes: {}\n") == ["15:1 there are no probes: nothing would be measured"]


def test_a_tier_that_only_probes_reach_is_reached(tmp_path):
    text = "service: x\ntiers: {web: {engine: command, run: x, replicas: 2}}\nprobes: {p: {http: http://web2/}}\n"
    assert told(tmp_path, text) == []


def test_hosts_that_share_an_address_are_told(tmp_path):
    tiers = ", ".join(f"t{n}t: {{engine: command, run: x, routes: {{http: web}}}}" for n in range(19))
    text = f"service: x\nnetwork: 10.0.0.0/16\ntiers: {{web: {{engine: command, run: x}}, {tiers}}}\nprobes: {{p: {{http: http://web/}}}}\n"
    assert told(tmp_path, text) == ["2:1 t18t1 and client would both have 10.0.0.201"]


def test_more_hosts_than_a_machine_can_play_are_refused_quickly(tmp_path):
    tiers = ", ".join(f"t{n}t: {{engine: command, run: x, replicas: 100}}" for n in range(2000))
    found = told(tmp_path, f"service: x\ntiers: {{{tiers}}}\nprobes: {{p: {{http: http://t1t/}}}}\n")
    assert found[0] == "2:1 200000 hosts are more than one machine can play"


def test_addresses_at_the_end_of_ipv4_do_not_overflow(tmp_path):
    text = changed(("10.0.1.0/24", "255.255.255.128/25"), ("    vip: 10.0.1.100\n", ""))
    assert told(tmp_path, text) == ["3:1 hosts cannot have addresses of 255.255.255.128/25"]
