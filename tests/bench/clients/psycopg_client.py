#!/usr/bin/python3
"""psycopg 3 with psycopg_pool; statements are prepared by psycopg after a few uses. See client.hpp."""
import os
import sys
import threading
import time

import psycopg_pool

ONE = "SELECT 1"
THOUSAND = "SELECT id, name, value FROM bench_items WHERE id <= 1000 ORDER BY id"


def main():
    work, seconds = sys.argv[1], float(sys.argv[2])
    with psycopg_pool.ConnectionPool(os.environ["TIDE_TEST_POSTGRESQL"], min_size=8, max_size=8,
                                     kwargs={"autocommit": True}) as pool:
        pool.wait()
        statement = THOUSAND if work == "thousand" else ONE
        until = time.monotonic() + seconds
        calls = []

        def go():
            mine = 0
            while time.monotonic() < until:
                with pool.connection() as connection:
                    connection.execute(statement).fetchall()
                mine += 1
            calls.append(mine)

        threads = [threading.Thread(target=go) for _ in range(8 if work == "eight" else 1)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"{sum(calls) / (time.monotonic() - began):.1f}")


main()
