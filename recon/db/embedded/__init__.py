"""The PostgreSQL server that recon brings along, for when it is given no database.

``embedded_postgres(data_dir)`` makes sure of a server whose data is kept under ``data_dir``. All
commands run at once on that directory share it, and it stops with the last of them:

- each user holds a share of a file lock for its life, so that the kernel notices its end, be it a
  SIGKILL;
- the first user starts a supervisor, which owns the server, restarts it if it crashes, and stops it
  once it can have that lock for itself; if the supervisor is killed, the server goes with it;
- the next start clears away whatever a power cut or SIGKILL left behind.

It answers on a Unix socket in a private directory, to random passwords that only their owner can
read (``scram-sha-256``), and never on TCP. It has two users: one owns the tables and migrates them,
the other, `SERVICE_USER`, is the service, with no right but those that the migrations grant it. No
permission of a directory that recon did not make is changed, and no system user is made: see
``identity`` and ``place`` for how it runs as root.
"""

from recon.db.embedded.cluster import SERVICE_USER
from recon.db.embedded.errors import EmbeddedPostgresError
from recon.db.embedded.remove import remove_embedded
from recon.db.embedded.server import EmbeddedPostgres
from recon.db.embedded.use import embedded_postgres, embedded_postgres_sync, start_embedded

__all__ = [
    "SERVICE_USER",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "embedded_postgres",
    "embedded_postgres_sync",
    "remove_embedded",
    "start_embedded",
]
