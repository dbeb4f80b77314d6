"""A temporary PostgreSQL: in a temporary directory, on a Unix socket only, under an unprivileged user.

    with Cluster(preload="tidepool") as cluster:
        cluster.sql("SELECT 1")                       -> [["1"]]
        cluster.sql("SELECT 1/0", check=False)        -> PsqlError in .error
"""
import atexit
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE", pathlib.Path(__file__).parents[2])).resolve()
BUILD = pathlib.Path(os.environ.get("TIDE_BUILD", SOURCE / "build")).resolve()


def pg_values():
    out = subprocess.run([sys.executable, str(SOURCE / "scripts/pg_config.py"), os.environ.get("TIDE_PG_CONFIG", "")],
                         capture_output=True, text=True, check=True).stdout.split("\n")
    return dict(zip(("pg_config", "version", "include", "pkglibdir", "sharedir", "bindir"), out))


def drop_user():
    """The user of servers if this process is root (initdb refuses root); otherwise None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("running as root, and no user postgres or nobody exists to run a server")


def as_user(command):
    user = drop_user()
    if user is None:
        return command
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]


class Copies:
    """Copies of files of SOURCE and BUILD, in the same layout; they exist as long as this process."""

    def __init__(self):
        self.folder, self.places, self.lock = None, {}, threading.Lock()

    def of(self, path):
        path = pathlib.Path(os.path.abspath(path))  # keeps the name, which may be that of a link
        with self.lock:
            if self.folder is None:
                self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tp-", dir="/tmp"))
                atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
            if path not in self.places:
                self.places[path] = self.make(path)
            return self.places[path]

    def make(self, path):
        place = self.folder / ("build" / path.relative_to(BUILD) if path.is_relative_to(BUILD) else
                               path.relative_to(SOURCE) if path.is_relative_to(SOURCE) else path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, place, dirs_exist_ok=True)
        else:
            shutil.copy(path, place)
        make_readable(self.folder)
        return place


copies = Copies()


def readable(path):
    """Path of a file or folder of this checkout for the user of the servers: a copy if this process is root, because
    that user has no access to root's home."""
    return pathlib.Path(path) if drop_user() is None else copies.of(path)


def make_readable(folder):
    for path, _, files in os.walk(folder):
        os.chmod(path, 0o755)
        for file in files:
            file = os.path.join(path, file)
            os.chmod(file, 0o755 if os.access(file, os.X_OK) or ".so" in file else 0o644)


class PsqlError(Exception):
    """Messages of psql on standard error."""


class Cluster:
    """One server. `stage` is a staged installation of the extension (see stage()); without it only the server."""

    def __init__(self, name="pg", stage=None, preload="", settings="", hba="", folder=None):
        self.pg = pg_values()
        self.name = name
        self.owns_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="tp-", dir="/tmp"))
        self.data = self.folder / name
        self.port = 5432
        self.host = str(self.folder / (name + ".s"))
        self.stage = stage
        self.preload = preload
        self.settings = settings
        self.hba = hba
        self.log = self.folder / (name + ".log")

    def environment(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        env.update(HOME=str(self.folder), LC_ALL="C.UTF-8", TZ="UTC")
        return env

    def run(self, program, *arguments, check=True, **more):
        return subprocess.run(as_user([os.path.join(self.pg["bindir"], program), *map(str, arguments)]), check=check,
                              text=True, capture_output=True, env=self.environment(), cwd="/", **more)

    def create(self):
        os.makedirs(self.host, exist_ok=True)
        user = drop_user()
        if user is not None:
            for path in (self.folder, self.host):
                os.chown(path, user.pw_uid, user.pw_gid)
        os.chmod(self.folder, 0o755)
        self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
        self.configure()
        return self

    def configure(self):
        lines = [f"unix_socket_directories = '{self.host}'", "listen_addresses = ''", f"port = {self.port}",
                 "fsync = off", "logging_collector = off", "log_line_prefix = '%m [%p] %b '", "timezone = 'UTC'",
                 "max_connections = 100"]
        if self.stage:
            lines += [f"dynamic_library_path = '{self.stage}{self.pg['pkglibdir']}:$libdir'", self.stage_setting()]
        if self.preload:
            lines.append(f"shared_preload_libraries = '{self.preload}'")
        lines += [self.settings]
        self.write("postgresql.auto.conf", "\n".join(lines) + "\n")
        if self.hba:
            self.write("pg_hba.conf", self.hba)

    def stage_setting(self):
        """The setting for the location of control file and script; before PostgreSQL 18 only Debian's has one."""
        if int(re.search(r"\d+", self.pg["version"])[0]) < 18:
            return f"extension_destdir = '{self.stage}'"
        return f"extension_control_path = '{self.stage}{self.pg['sharedir']}:$system'"

    def write(self, file, text):
        path = self.data / file
        path.write_text(text)
        user = drop_user()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
        os.chmod(path, 0o600)

    def start(self, timeout=30):
        # The server logs to a file: with a pipe, pg_ctl would wait for its end.
        try:
            self.run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", timeout, "start")
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"the server does not start: {error.stdout}{error.stderr}\n{self.log_text()[-4000:]}") from error
        return self

    def stop(self, mode="fast", check=False):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", 30, "stop", check=check)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def reload(self):
        self.run("pg_ctl", "-D", self.data, "reload")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def signal(self, number):
        """Sends a signal to the postmaster and all its children: SIGSTOP freezes a server."""
        first = self.postmaster()
        for pid in [first, *children_of(first)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def conninfo(self, database="postgres", user="postgres", **more):
        words = dict(host=self.host, port=self.port, dbname=database, user=user, **more)
        return " ".join(f"{key}='{value}'" for key, value in words.items())

    def psql_command(self, database="postgres", user="postgres"):
        return [os.path.join(self.pg["bindir"], "psql"), "-X", "-q", "-h", self.host, "-p", str(self.port), "-U", user,
                "-d", database, "-v", "ON_ERROR_STOP=1"]

    def sql(self, text, database="postgres", user="postgres", timeout=60, stderr=False):
        """Rows as lists of text (None for NULL), or other output. Raises PsqlError with the server's message."""
        done = subprocess.run([*self.psql_command(database, user), "-A", "-t", "-F", "\x1f", "-R", "\x1e",
                               "-P", "null=\x1d", "-v", "VERBOSITY=verbose"], input=text, text=True,
                              capture_output=True, env=self.environment(), timeout=timeout)
        if done.returncode != 0:
            raise PsqlError(done.stderr.strip())
        if stderr:
            return done.stderr
        rows = [row for row in done.stdout.rstrip("\n").split("\x1e") if row != ""]
        return [[None if cell == "\x1d" else cell for cell in row.rstrip("\n").split("\x1f")] for row in rows]

    def value(self, text, **more):
        return self.sql(text, **more)[0][0]

    def backends(self, where="true"):
        return int(self.value(f"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                              f"AND pid <> pg_backend_pid() AND ({where})"))

    def destroy(self):
        if (self.data / "postmaster.pid").exists():
            self.thaw()
            self.stop("immediate")
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.create().start()
        except BaseException:
            self.destroy()
            raise

    def __exit__(self, *_):
        self.destroy()


def stage(folder):
    """A staged installation of the built extension below `folder`, as for a package."""
    subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    make_readable(folder)
    return str(folder)


def children_of(parent):
    """The ids of the child processes."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # PID (NAME) STATE PARENT ...; the name may contain spaces and parentheses.
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            pass  # it has exited
    return found


def wait_until(condition, seconds=10, every=0.02):
    """Polls the condition; returns its value, or the last value after the timeout."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)
