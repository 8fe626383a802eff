"""The real stores, for every test of this folder."""

from election_stores import etcd, etcd_tls, postgres

__all__ = ["etcd", "etcd_tls", "postgres"]
