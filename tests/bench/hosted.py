#!/usr/bin/python3
"""`select 1` on another cluster by tidepool.query(), against dblink, dblink through PgBouncer and postgres_fdw.

All by pgbench with 1, 8 and 64 clients on one server, asking a second one over a Unix socket. Rounds go through all ways in
turn; printed is the median. BENCH_ROUNDS (3), BENCH_SECONDS (2) a round, BENCH_CLIENTS (1 8 64).
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from postgres_support import ROUNDS, Counting, cluster, median, pgbench, progress  # noqa: E402

CLIENTS = tuple(int(n) for n in os.environ.get("BENCH_CLIENTS", "1 8 64").split())
STATEMENTS = 20  # within one held lease


def twenty(statement):
    return (statement + "\n") * STATEMENTS


def keeping(statement):
    return f"\\if :fresh\nSELECT dblink_connect('kept', 'KEPT');\n\\set fresh 0\n\\endif\n{statement}\n"


def bouncer(folder, remote):
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not os.path.exists(program):
        return None
    ini = folder / "pgbouncer.ini"
    ini.write_text(f"""[databases]
postgres = host={remote.host} port={remote.port}
[pgbouncer]
unix_socket_dir = {folder}
listen_addr =
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
""".replace("auth_type = any", "auth_type = trust\nauth_file = " + str(folder / "users.txt")))
    (folder / "users.txt").write_text('"postgres" ""\n')
    os.chmod(folder, 0o777)
    process = subprocess.Popen(cluster.as_user([program, "-q", str(ini)]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not cluster.wait_until(lambda: (folder / ".s.PGSQL.6432").exists(), 5):
        process.kill()
        return None
    return process


def furnish(local, remote):
    remote.sql("CREATE TABLE one AS SELECT 1 AS x")
    local.sql("CREATE EXTENSION tidepool; CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw")
    where = f"host '{remote.host}', port '{remote.port}', dbname 'postgres'"
    local.sql(f"""CREATE SERVER far FOREIGN DATA WRAPPER tidepool OPTIONS ({where}, max_size '8', min_size '8');
                  CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
                  CREATE SERVER fdw FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({where});
                  CREATE USER MAPPING FOR postgres SERVER fdw OPTIONS (user 'postgres');
                  CREATE FOREIGN TABLE one (x int) SERVER fdw""")


def ways(remote, bouncer_folder):
    plain = f"host={remote.host} port={remote.port} dbname=postgres user=postgres"
    through = f"host={bouncer_folder} port=6432 dbname=postgres user=postgres"
    ours = "SELECT * FROM tidepool.query('far', 'select 1') AS t (x int);"
    kept = "SELECT * FROM dblink('kept', 'select 1') AS t (x int);"
    return {
        "tidepool.query, pool of 8": ours,
        "dblink, connection per call": f"SELECT * FROM dblink('{plain}', 'select 1') AS t (x int);",
        "dblink per call, PgBouncer": f"SELECT * FROM dblink('{through}', 'select 1') AS t (x int);",
        "dblink, kept open": keeping(kept).replace("KEPT", plain),
        "postgres_fdw": "SELECT x FROM one;",
        "tidepool, held lease of 20": f"BEGIN;\nSELECT tidepool.lease('far');\n{twenty(ours)}COMMIT;\n",
        "dblink kept open, 20 in a transaction": keeping(f"BEGIN;\n{twenty(kept)}COMMIT;").replace("KEPT", plain),
    }


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tp-bench-"))
    (folder / "bouncer").mkdir()
    os.chmod(folder, 0o755)
    staged = cluster.stage(folder / "stage")
    settings = "max_connections = 300\nshared_buffers = 128MB"
    remote = cluster.Cluster("remote", settings=settings)
    local = cluster.Cluster("local", stage=staged, preload="tidepool", settings=settings)
    process = None
    try:
        remote.create().start()
        local.create().start()
        furnish(local, remote)
        process = bouncer(folder / "bouncer", remote)
        scripts = ways(remote, folder / "bouncer")
        if process is None:
            print("PgBouncer is not installed: its row is left out")
            del scripts["dblink per call, PgBouncer"]
        figures = {}
        for clients in CLIENTS:
            for turn in range(ROUNDS):
                for name, script in scripts.items():
                    if "20" in name and clients > 8:
                        continue  # the lease of 20 is about one session's latency
                    progress(f"{clients} clients, round {turn + 1} of {ROUNDS}: {name}")
                    # PgBouncer's sessions stay, so they count in the rows behind its own as well.
                    ours = "=" if name.startswith("tidepool") else "<>"
                    with Counting(remote, f"application_name {ours} 'tidepool'") as counting:
                        tps, latency = pgbench(local, script, clients, variables=[("fresh", "1")])
                    figures.setdefault((name, clients), []).append((tps, latency, counting.most))
        progress("")
        report(scripts, figures)
    finally:
        if process is not None:
            process.terminate()
        local.destroy()
        remote.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def report(scripts, figures):
    print(f"{'':40}" + "".join(f"{f'{c} clients':>32}" for c in CLIENTS))
    tps = {}
    for name in scripts:
        line = f"{name:40}"
        for clients in CLIENTS:
            rounds = figures.get((name, clients))
            if rounds is None:
                line += " " * 32
                continue
            tps[name, clients] = median([r[0] for r in rounds])
            cell = f"{tps[name, clients]:.0f}/s {median([r[1] for r in rounds]):.3f} ms {max(r[2] for r in rounds)} sessions"
            line += f"{cell:>32}"
        print(line)

    ours = "tidepool.query, pool of 8"

    def ratio(what, bar, one, other, clients):
        if (other, clients) in tps and (one, clients) in tps:
            print(f"{what:64} {tps[one, clients] / tps[other, clients]:6.2f}   (bar {bar})")

    print()
    for clients in CLIENTS:
        ratio(f"over dblink per call, {clients} clients", 25, ours, "dblink, connection per call", clients)
        ratio(f"over dblink through PgBouncer, {clients} clients", 1.3, ours, "dblink per call, PgBouncer", clients)
    ratio("over dblink kept open, 1 client", 0.5, ours, "dblink, kept open", 1)
    ratio("over dblink kept open, 64 clients (8 sessions against 64)", 0.8, ours, "dblink, kept open", 64)
    ratio("held lease of 20 over dblink kept open, 1 client", 0.91, "tidepool, held lease of 20",
          "dblink kept open, 20 in a transaction", 1)


if __name__ == "__main__":
    main()
