"""Data of the rules for the source code. rules.py checks the rules, and tidy.py runs the checks."""

COLUMNS_MAX = 128  # of scripts; clang-format limits the lines of code

CODE = (".c", ".h", ".cpp", ".hpp")
SCRIPTS = (".py", ".sh")
TEXTS = CODE + SCRIPTS + (".js", ".toml", ".md", ".build", ".txt", ".map", ".golden", ".yml", ".json", ".sql", ".pml")

# Which rooms of core/ a room may include, besides its own files.
ROOMS = {
    "base": (),
    "os": ("base",),
    "statement": ("base",),
    "model": ("base",),
    "control": ("base", "os", "model", "policy", "segment"),
    "policy": ("base", "model"),
    "segment": ("base", "os", "model"),
    "brain": ("base", "model", "policy"),
    "reading": ("base", "os", "model", "segment"),
    "render": ("base", "os", "model", "segment", "reading"),
    "pool": ("base", "os", "statement", "model", "policy", "segment", "brain"),
    "driver": ("base", "os", "statement", "model", "policy", "segment", "brain", "pool"),
    "service": ("base", "os", "statement", "model", "policy", "segment", "brain", "pool"),
    "notify": ("base", "os", "model", "policy", "segment", "brain", "pool"),
}
# Exceptions for headers: (room, header): reason.
ROOM_EXCEPTIONS = {
    ("brain", "os/process.hpp"): "a census holds what the process has left",
    ("reading", "policy/settings.hpp"): "the settings relation prints the catalogue",
    ("reading", "policy/preset.hpp"): "the presets relation prints the presets",
}
# Outside core/: folder -> the rooms it may include. <tidepool/...> is free for all of these.
OUTSIDE = {
    "c_api/src": tuple(ROOMS),
    "sqlite_extension": (),
    "cli": ("read", "record", "text", "top"),  # its own folders
    "examples": (),
}
# Headers of databases, and the places that may include them.
FOREIGN_HEADERS = {
    r"sqlite3(ext)?\.h": ("core/driver/sqlite/", "sqlite_extension/", "tests/", "c_api/src/"),
    r"libpq-fe\.h": ("core/driver/libpq/", "pg_extension/query/", "pg_extension/worker/", "tests/"),
    r"postgres\.h": ("pg_extension/",),
    r"curl/.*": ("core/notify/http_library.",),
    r"tidepool/.*": ("c_api/", "sqlite_extension/", "pg_extension/", "cli/", "examples/", "languages/",
                       "tests/"),
    r"node_api\.h": ("languages/node/",),
}

# Words in code (not in comments and strings) and the only places for them: prefixes of paths.
WORDS = {
    "clocks": {
        "words": r"\b(clock_gettime|gettimeofday|(steady|system|high_resolution)_clock|__?rdtscp?|time\s*\(\s*"
                 r"(NULL|nullptr|0)\s*\))",
        "places": (
            "core/os/clock.",
            "cli/clock.",                   # a screen that refreshes itself; it has no part in core
            "tests/race/",                  # stress tests of limited duration
            "tests/service/",               # limits of waiting
            "tests/bench/",
            "tests/unit/driver/support.hpp",  # drivers must keep real deadlines
            "tests/sqlite/support.py",      # timeout for another process
            "pg_extension/common/linger.",    # the age of a lease, the same for backend and worker
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
            "core/pool/", "core/driver/", "core/service/",
            "core/notify/webhook.",         # deliveries must not hold up the keeper
            "c_api/src/handles.",           # the fork hooks
            "c_api/src/callbacks.",         # the thread that runs the callbacks
            "c_api/src/closing.cpp",        # tide_close_all() closes all pools in parallel
            "languages/node/",              # a statement that must not hold up JavaScript
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
            "tests/sqlite/support.py",      # polls another process
            "tests/pg/",                    # polls a server
            "tests/faults/test_history.py", # kills at a random moment
            "tests/service/",               # polls for what a server or another thread does
            "tests/languages/",             # polls another process
            "tests/bench/",                 # a lease that is held, a reader with intervals
            "examples/demo/workload.cpp",   # think time of the callers
        ),
    },
}

# Words that are allowed only in the places named, also in comments. Split, so that this file does not violate its own
# rule.
FORBIDDEN = (
    ("TO" "DO", "finish it or leave it out", ()),
    ("FIX" "ME", "fix it or leave it out", ()),
    ("../" "shared", "users do not have that folder", ()),
    ("not " "implemented", "refuse with TIDE_UNSUPPORTED and say what is supported", ()),
    ("DIS" "ABLED_", "run the test or remove it", ()),
    ("G" "TEST_SKIP", "run the test or remove it", ("tests/conformance/",)),  # guarantees that not every driver can give
)

# Public C functions: the tags of their comments, in this order, and texts that only repeat a convention.
DOC_TAGS = ("Threads", "Owns", "Fails", "Since")
DOC_CONVENTIONS = ("any.", "any thread.", "nothing.", "never.", "0.1", "0.1.")
HEADERS = "c_api/include/tidepool"
VERSION_MAP = "c_api/tidepool.map"
SYMBOLS = "c_api/symbols.golden"

# Folders that must have a README.md.
EXPLAINED = (
    "", "core", "core/base", "core/os", "core/statement", "core/control", "core/model", "core/policy", "core/segment",
    "core/brain", "core/pool", "core/service", "core/driver", "core/reading", "core/render", "cli",
    "c_api", "sqlite_extension", "pg_extension", "pg_extension/query", "pg_extension/worker", "examples", "languages",
    "languages/python", "languages/node", "languages/go", "tests",
)

OPTIONS = "core/policy/catalogue.cpp"
OPTIONS_ALIKE = "tests/unit/pool/options_"  # effects on any database
OPTIONS_OF_DATABASES = "tests/live/test_effects.py"
INVARIANTS = "core/README.md"

# Rooms whose unit tests must exist.
UNIT_TESTED = ("base", "os", "statement", "control", "model", "policy", "segment", "brain", "pool", "service", "driver",
               "reading", "render")
