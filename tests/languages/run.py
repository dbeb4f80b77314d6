#!/usr/bin/python3
"""One binding of languages/: the examples of its page as they are written, and what it promises, on SQLite, or, with
TIDE_TEST_POSTGRESQL, on PostgreSQL.

run.py python|node|go      exit 77, with a reason, if the language is not installed
"""
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SOURCE = pathlib.Path(os.environ.get("TIDE_SOURCE") or pathlib.Path(__file__).parents[2])
BUILD = pathlib.Path(os.environ.get("TIDE_BUILD") or SOURCE / "build")
LIBRARY = pathlib.Path(os.environ.get("TIDE_LIBRARY") or BUILD / "c_api" / "libtidepool.so")
EXTENSION = os.environ.get("TIDE_EXTENSION") or str(BUILD / "sqlite_extension" / "tidepool")
SERVER = os.environ.get("TIDE_TEST_POSTGRESQL")
HERE = pathlib.Path(__file__).parent


class Skipped(Exception):
    pass


class Python:
    fence = "python"

    def __init__(self, place):
        """Installs the package as its page says, where pip and setuptools are: else it is used where it is."""
        self.path = str(SOURCE / "languages" / "python")
        has_tools = all(importlib.util.find_spec(name) for name in ("pip", "setuptools", "wheel"))
        if sys.version_info < (3, 11):
            raise Skipped(f"Python 3.11 is needed, and this is {sys.version.split()[0]}")
        if not has_tools:
            print("not tested: pip install, because pip, setuptools or wheel is not installed for", sys.executable)
            return
        copy, self.path = place / "source", str(place / "installed")  # building writes into the source
        shutil.copytree(SOURCE / "languages" / "python", copy)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps",
                        "--root-user-action=ignore", "--disable-pip-version-check", "--target", self.path, copy], check=True)

    def program(self, place, name, text):
        (place / f"{name}.py").write_text(text, encoding="utf-8")
        return [sys.executable, "-X", "dev", "-W", "error", place / f"{name}.py"], {"PYTHONPATH": self.path}


class Node:
    fence = "js"

    def __init__(self, place):
        if not shutil.which("node"):
            raise Skipped("node is not installed (Debian: nodejs, libnode-dev)")
        if not os.environ.get("TIDE_NODE_ADDON"):
            raise Skipped("the addon is not built: the headers of Node.js are not installed (Debian: libnode-dev)")
        (place / "node_modules").mkdir()
        (place / "node_modules" / "tidepool").symlink_to(SOURCE / "languages" / "node")

    def program(self, place, name, text):
        (place / f"{name}.js").write_text(text, encoding="utf-8")
        return ["node", "--expose-gc", "--unhandled-rejections=strict", place / f"{name}.js"], {}


class Go:
    fence = "go"

    def __init__(self, place):
        if not shutil.which("go"):
            raise Skipped("go is not installed (Debian: golang-go)")
        if not shutil.which("pkg-config"):
            raise Skipped("pkg-config is not installed")
        self.environment = {"GOCACHE": BUILD / "go-cache", "GOPATH": BUILD / "go-path", "GOFLAGS": "-mod=mod", "GOPROXY": "off",
                            "GOTOOLCHAIN": "local", "PKG_CONFIG_PATH": BUILD / "meson-uninstalled", "CGO_ENABLED": "1",
                            "LD_LIBRARY_PATH": LIBRARY.parent}

    def program(self, place, name, text):
        folder = place / name
        folder.mkdir()
        (folder / "main.go").write_text(text, encoding="utf-8")
        (folder / "go.mod").write_text(f"module {name}\n\ngo 1.19\n\nrequire tidepool v0.1.0\n\n"
                                       f"replace tidepool => {SOURCE}/languages/go\n", encoding="utf-8")
        subprocess.run(["go", "build", "-o", "program", "."], cwd=folder, env=dict(os.environ, **self.environment), check=True)
        return [folder / "program"], {**self.environment, "GODEBUG": "cgocheck=1"}


def sections(language):
    """The text of the page, by headings."""
    text = (SOURCE / "languages" / language / "README.md").read_text(encoding="utf-8")
    return {title: body for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.S | re.M)}


def block(text, fence):
    return re.search(rf"^```{fence}\n(.*?)^```$", text, re.S | re.M).group(1)


def environment(place, further):
    """Programs have a directory of their own for segments."""
    return {**os.environ, "TIDE_LIBRARY": str(LIBRARY), "TIDEPOOL_DIR": str(place / "segments"), **further}


def check_first_example(language, kind, place):
    body = sections(language)["Ten lines"]
    program = block(body, kind.fence).replace("/tmp/app.db", f"{place}/app.db")
    command, further = kind.program(place, "ten_lines", program)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment(place, further))
    expected = block(body[body.index("It prints:"):], "")
    assert (done.returncode, done.stdout) == (0, expected), f"printed {done.stdout!r}, not {expected!r}\n{done.stderr}"


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as why:
        return why.code, json.load(why)


def run_statements(text, place):
    """One on each line, in SQLite with the extension: the rows of each."""
    os.environ["TIDEPOOL_DIR"] = str(place / "segments")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.enable_load_extension(True)
    statements = text.replace(".load tidepool", "").strip().splitlines()
    connection.execute("SELECT load_extension(?)", (EXTENSION,))
    rows = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    return rows


def wait_for(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_web_handler(language, kind, place, url):
    """It sells, shows its leases, is seen and controlled in SQL, and answers 503 when no connection comes in time."""
    body = sections(language)["A web handler"]
    command, further = kind.program(place, "web", block(body, kind.fence))
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=environment(place, {**further, "PORT": "0", "DATABASE_URL": url}))
    try:
        address = re.search(r"listening on (http://\S+)", server.stdout.readline()).group(1)
        for sold in (1, 2, 3):
            assert fetch(address + "/") == (200, [{"item": "tea", "sold": sold}])
        wait_for(lambda: fetch(address + "/pool") in ((200, []), (200, None)))
        rows = [("shop", "running", 0, 0)]
        wait_for(lambda: [row[:2] + row[3:] for row in run_statements(block(body, "sql"), place)[0]] == rows)
        run_statements("SELECT tidepool_pause('shop')", place)
        status, found = fetch(address + "/")
        assert status == 503 and "no connection within" in found["error"], (status, found)
        run_statements("SELECT tidepool_resume('shop')", place)
        assert fetch(address + "/") == (200, [{"item": "tea", "sold": 4}])
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        server.stdout.close()


def check_promises(language, kind, place, url):
    name = {"python": "promises.py", "node": "promises.js", "go": "promises.go"}[language]
    command, further = kind.program(place, "promises", (HERE / name).read_text(encoding="utf-8"))
    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=120, check=False,
                          env=environment(place, further))
    print(done.stdout, end="")
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stderr


def main(language):
    with tempfile.TemporaryDirectory(prefix="tidepool-languages-") as folder:
        place = pathlib.Path(folder)
        (place / "segments").mkdir(mode=0o700)
        try:
            kind = {"python": Python, "node": Node, "go": Go}[language](place)
        except Skipped as why:
            print(f"skipped: {why}")
            return 77
        if not SERVER:
            check_first_example(language, kind, place)
        check_web_handler(language, kind, place, SERVER or f"sqlite://{place}/shop.db")
        check_promises(language, kind, place, SERVER or f"sqlite://{place}/promises.db")
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
