"""Takes orders over one session to the database that it keeps: as simple as many programs are.

`/order` writes one; `/health` says that the program runs.  HOST and PORT say where it listens, PGUSER, PGPASSWORD and PGDATABASE
come from the environment; the database is found behind the balancer `entry`.
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

import psycopg

TABLE = "CREATE TABLE IF NOT EXISTS orders (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
session: psycopg.Connection | None = None
one_at_a_time = Lock()


def order() -> None:
    """A session that was closed is opened again; one that only hangs is waited for."""
    global session
    with one_at_a_time:
        try:
            if session is None:
                session = psycopg.connect(host="entry", connect_timeout=2, target_session_attrs="any", autocommit=True)
                session.execute(TABLE)
            session.execute("INSERT INTO orders DEFAULT VALUES")
        except psycopg.Error:
            if session is not None:
                session.close()
            session = None
            raise


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200
        try:
            if self.path == "/order":
                order()
        except psycopg.Error:
            status = 503
        self.wfile.write(f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


Server((os.environ["HOST"], int(os.environ["PORT"])), Shop).serve_forever()
