"""The rules for the source code, as data. They are checked by rules.py and run by tidy.py."""

COLUMNS_MAX = 128  # of scripts; code is clang-format's

CODE = (".c", ".h", ".cpp", ".hpp")
SCRIPTS = (".py", ".sh")
TEXTS = CODE + SCRIPTS + (".md", ".build", ".txt", ".map", ".golden", ".yml", ".json", ".sql", ".pml")

# Which rooms of core/ a room may include, besides its own files.
ROOMS = {
    "base": (),
    "os": ("base",),
    "model": ("base",),
    "control": ("base", "os", "model", "policy", "segment"),
    "policy": ("base", "model"),
    "segment": ("base", "os", "model"),
    "brain": ("base", "model", "policy"),
    "reading": ("base", "os", "model", "segment"),
    "pool": ("base", "os", "model", "policy", "segment", "brain"),
    "driver": ("base", "os", "model", "policy", "segment", "brain", "pool"),
    "notify": ("base", "os", "model", "policy", "brain", "pool"),
}
# Headers that may cross the arrows: (room, header): why.
ROOM_EXCEPTIONS = {
    ("brain", "os/process.hpp"): "a census holds what the process has left",
    ("reading", "policy/settings.hpp"): "the settings relation prints the catalogue",
    ("reading", "policy/preset.hpp"): "the presets relation prints the presets",
}
# Outside core/: folder -> the rooms it may include. <tidepool/...> is free for all of these.
OUTSIDE = {
    "c_api/src": tuple(ROOMS),
    "sqlite_extension": (),
    "examples": (),
}
# Databases' own headers, and where they are met.
FOREIGN_HEADERS = {
    r"sqlite3(ext)?\.h": ("core/driver/sqlite/", "sqlite_extension/", "tests/", "c_api/src/"),
    r"libpq-fe\.h": ("core/driver/libpq/", "pg_extension/query/", "pg_extension/worker/", "tests/"),
    r"postgres\.h": ("pg_extension/",),
    r"tidepool/.*": ("c_api/", "sqlite_extension/", "pg_extension/", "examples/", "tests/"),
}

# Words in code (comments and strings do not count) and the only places for them: prefixes of paths.
WORDS = {
    "clocks": {
        "words": r"\b(clock_gettime|gettimeofday|(steady|system|high_resolution)_clock|__?rdtscp?|time\s*\(\s*"
                 r"(NULL|nullptr|0)\s*\))",
        "places": (
            "core/os/clock.",
            "tests/race/",                  # storms that end after a while
            "tests/bench/",
            "tests/unit/driver/support.hpp",  # drivers promise to keep real deadlines
            "tests/sqlite/support.py",      # gives up waiting for another process
            "pg_extension/common/linger.",    # a lease's age, told alike by backend and worker
            "examples/",
        ),
    },
    "mapped memory": {
        "words": r"\b(mmap|munmap|mremap|msync|MAP_SHARED)\b",
        "places": ("pg_extension/common/linger.", "core/segment/segment.", "core/segment/mailbox.", "tests/unit/segment/"),
    },
    "threads": {
        "words": r"(#\s*include\s*<(thread|pthread\.h|future)>|\bstd::(jthread|thread)\b|\bpthread_\w+)",
        "places": (
            "core/pool/", "core/driver/",
            "c_api/src/handles.",           # the fork hooks
            "c_api/src/callbacks.",         # the thread that calls the program back
            "c_api/src/opening.cpp",        # tide_close_all() closes all pools at once
            "tests/", "examples/",
        ),
    },
    "randomness": {
        "words": r"\b(random_device|mt19937\w*|drand48|arc4random|srand|rand)\s*\(",
        "places": ("tests/", "examples/"),
    },
    "sleeps": {
        "words": r"\b(sleep_for|sleep_until|usleep|nanosleep|time\.sleep|sleep\s*\()",
        "places": (
            "core/os/clock.",               # pause_for()
            "tests/sqlite/support.py",      # looks again whether another process did what it was told
            "tests/pg/",                    # looks again whether a server did what it was told
            "tests/bench/",                 # a lease that is held, a reader that reads at intervals
            "examples/demo/workload.cpp",   # a shop's visitors take their time
        ),
    },
}

# Nowhere, not even in comments, but for the places named. From halves, so that this file does not break its own rule.
FORBIDDEN = (
    ("TO" "DO", "finish it or leave it out", ()),
    ("FIX" "ME", "fix it or leave it out", ()),
    ("../" "shared", "users do not have that folder", ()),
    ("not " "implemented", "refuse with TIDE_UNSUPPORTED and say what is supported", ()),
    ("DIS" "ABLED_", "a test runs or goes", ()),
    ("G" "TEST_SKIP", "a test runs or goes", ("tests/conformance/",)),  # promises that not every driver can make
)

# Public C functions: the tags of their comments, in this order, and what is a convention and therefore not written there.
DOC_TAGS = ("Threads", "Owns", "Fails", "Since")
DOC_CONVENTIONS = ("any.", "any thread.", "nothing.", "never.", "0.1", "0.1.")
HEADERS = "c_api/include/tidepool"
VERSION_MAP = "c_api/tidepool.map"
SYMBOLS = "c_api/symbols.golden"

# Folders that explain themselves in a README.md.
EXPLAINED = (
    "", "core", "core/base", "core/os", "core/control", "core/model", "core/policy", "core/segment", "core/brain", "core/pool",
    "core/driver", "core/reading",
    "c_api", "sqlite_extension", "pg_extension", "pg_extension/query", "pg_extension/worker", "examples", "tests",
)

OPTIONS = "core/policy/catalogue.cpp"
OPTIONS_ALIKE = "tests/unit/pool/options_"  # what they do on any database
OPTIONS_OF_DATABASES = "tests/live/test_effects.py"
INVARIANTS = "core/README.md"

# Rooms whose unit tests must exist.
UNIT_TESTED = ("base", "os", "control", "model", "policy", "segment", "brain", "pool", "driver", "reading")
