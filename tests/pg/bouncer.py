"""A PgBouncer in front of a temporary server, on a Unix socket, under the server's user.

    with Bouncer(cluster, "transaction", default_pool_size=1) as bouncer:
        bouncer.conninfo()                  target for a pool
        bouncer.sql("SHOW search_path")     as another client
        bouncer.order("PAUSE")              in its console
"""
import os
import shutil
import subprocess
import tempfile

import cluster
import support

PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
PORT = 6432


def require_bouncer():
    if PROGRAM is None:
        support.skip("pgbouncer is not installed")


class Bouncer:
    def __init__(self, server, mode, **settings):
        self.server, self.mode = server, mode
        self.folder = tempfile.mkdtemp(prefix=mode + "-", dir=server.folder)
        self.socket = os.path.join(self.folder, f".s.PGSQL.{PORT}")
        self.log = os.path.join(self.folder, "log")
        lines = ["[databases]", f"* = host={server.host} port={server.port}", "[pgbouncer]", f"pool_mode = {mode}",
                 f"unix_socket_dir = {self.folder}", f"listen_port = {PORT}", "auth_type = trust",
                 f"auth_file = {self.folder}/users", "admin_users = admin", f"logfile = {self.log}",
                 *(f"{name} = {value}" for name, value in settings.items())]
        self.write("ini", "\n".join(lines) + "\n")
        self.write("users", '"postgres" ""\n"admin" ""\n')
        user = cluster.drop_user()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.process = None

    def write(self, file, text):
        with open(os.path.join(self.folder, file), "w", encoding="utf-8") as out:
            out.write(text)
            os.fchmod(out.fileno(), 0o644)

    def start(self):
        self.process = subprocess.Popen(cluster.as_user([PROGRAM, "-q", os.path.join(self.folder, "ini")]), cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not cluster.wait_until(lambda: os.path.exists(self.socket) or self.process.poll() is not None):
            raise RuntimeError("pgbouncer does not create its socket")
        if self.process.poll() is not None:
            raise RuntimeError("pgbouncer does not start: " + self.log_text())
        return self

    def stop(self):
        """Stops it immediately, even if clients are connected."""
        self.process.kill()
        self.process.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def conninfo(self, **words):
        given = dict(dict(host=self.folder, port=PORT, dbname="postgres", user="postgres"), **words)
        return " ".join(f"{key}='{value}'" for key, value in given.items())

    def psql(self, text, user, database):
        command = [os.path.join(self.server.pg["bindir"], "psql"), "-X", "-q", "-A", "-t", "-h", self.folder, "-p",
                   str(PORT), "-U", user, "-d", database, "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(command, input=text, text=True, capture_output=True, env=self.server.environment(),
                              timeout=30)
        if done.returncode != 0:
            raise cluster.PsqlError(done.stderr.strip())
        return done.stdout.strip()

    def sql(self, text):
        return self.psql(text, "postgres", "postgres")

    def order(self, text):
        return self.psql(text, "admin", "pgbouncer")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
