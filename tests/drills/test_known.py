"""What clients know of the service follows it through planned changes."""

from dataclasses import replace

from pretend_service import SITE, topology

from holdfast.change.version import scaled
from holdfast.drills.prepare import Known


def known() -> Known:
    return Known(topology(), SITE, {"db-app": "old"})


def test_what_was_looked_up_stays_the_same_object_so_that_connections_are_kept():
    told = known()
    assert told.database("db", "db") is told.database("db", "db")


def test_after_a_change_of_size_clients_know_the_newcomers():
    told = known()
    before = told.addresses("web")
    told.adopt(scaled(topology(), "web", 4), {"db-app": "old"})
    assert told.addresses("web") == (*before, "10.0.1.14")


def test_after_a_change_of_password_clients_connect_with_the_new_one_to_a_database_that_is_no_more_the_one_they_knew():
    told = known()
    before = told.database("db", "db")
    told.adopt(topology(), {"db-app": "new"})
    after = told.database("db", "db")
    assert after is not before
    assert after == replace(before, password="new")
