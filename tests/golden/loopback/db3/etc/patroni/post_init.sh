#!/bin/sh
# Written by holdfast for db3/patroni of the service shop, tier db.
# For the loopback lab: addresses, ports and paths are this machine's. Render the file anew for production.
# Change topology.yaml and render again rather than editing here.
# Patroni calls this once, on the first primary, with the connection string as the only argument.
# The password comes from the environment, never from an argument that `ps` would show.
set -eu
: "${HOLDFAST_APP_PASSWORD:?is missing from patroni.env}"
exec /usr/lib/postgresql/15/bin/psql -X -q -v ON_ERROR_STOP=1 -v name=app -v database=app -d "$1" <<'SQL'
\set password `printenv HOLDFAST_APP_PASSWORD`
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'name', :'password')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
