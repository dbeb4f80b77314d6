#!/usr/bin/python3
"""export: formats, files and wrong use. What the formats contain is tested with them."""
import json
import os
import pathlib
import re

import stage


class Exports(stage.CommandCase):
    def setUp(self):
        super().setUp()
        self.owner().open("shop")

    def formats(self):
        return re.search(r"Formats:\n(.*?)\n\n", self.run_it("help", "export").out, re.S)[1]

    def test_formats_are_listed(self):
        for name in ("json", "prometheus", "otlp_json"):
            self.assertIn(name, self.formats())
        got = self.run_it("export", "promtheus", code=stage.MISUSE)
        self.assertIn('FORMAT is "promtheus"', got.err)
        self.assertIn('"prometheus"', got.err)
        self.run_it("export", code=stage.MISUSE)
        self.run_it("export", "json", "--since", "-1h", code=stage.MISUSE)

    def test_a_file_is_replaced_as_a_whole(self):
        target = pathlib.Path(self.segments, "out.json")
        target.write_text("old", encoding="utf-8")
        self.run_it("export", "json", "-o", str(target))
        self.assertTrue(json.loads(target.read_text(encoding="utf-8")))
        self.assertNotIn("out.json.", " ".join(os.listdir(self.segments)))
        got = self.run_it("export", "json", "-o", "/nonexistent/out.json", code=stage.FAILED)
        self.assertIn("cannot write", got.err)

    def test_no_such_pool(self):
        self.assertIn('no pool "nope"', self.run_it("export", "json", "nope", code=stage.NO_POOL).err)


if __name__ == "__main__":
    stage.main()
