"""The real stores, for every test of this folder."""

from election_stores import etcd, postgres

__all__ = ["etcd", "postgres"]
