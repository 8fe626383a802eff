#!/bin/sh
# Written by holdfast for db3/patroni of the service shop, tier db.
# For the loopback lab: addresses, ports and paths are this machine's. Render the file anew for production.
# Change topology.yaml and render again rather than editing here.
# Gives the application's user the password that patroni.env has now. Run it on the primary, as the user of PostgreSQL.
# Passwords come from that file and travel in the environment: `ps` shows none, and what runs here logs no statement.
set -eu
of() {
    sed -n "s/^$1=//p" /tmp/lab/db3/etc/patroni/patroni.env | sed 's/^"\(.*\)"$/\1/'
}
PGPASSWORD=$(of PATRONI_SUPERUSER_PASSWORD)
HOLDFAST_APP_PASSWORD=$(of HOLDFAST_APP_PASSWORD)
: "${HOLDFAST_APP_PASSWORD:?is missing from patroni.env}"
export PGPASSWORD HOLDFAST_APP_PASSWORD
exec /usr/lib/postgresql/15/bin/psql -X -q -v ON_ERROR_STOP=1 -v name=app \
    -h 127.10.1.33 -p 5432 -U postgres -d postgres <<'SQL'
\set password `printenv HOLDFAST_APP_PASSWORD`
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
ALTER ROLE :"name" PASSWORD :'password';
SQL
