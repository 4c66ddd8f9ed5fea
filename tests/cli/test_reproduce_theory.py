"""hopfield reproduce theory: what the report, its data and its JSON hold, and how it fails."""

import csv
import html
import json
import math
import os
import signal
import subprocess
import unittest

from support import PROGRAM, ProgramTest, wait_until_it_handles
from test_theory_attention import made_set

SECTIONS = ["energy", "fixed-points", "capacity", "retrieval-error", "dense", "multitask", "attention", "errata"]
# Quick enough to be run here; the whole of --quick takes a minute or more.
FAST = "retrieval-error,attention,errata"


class ReproduceTest(ProgramTest):
    def reproduce(self, *arguments, status=0, **more):
        return self.expect(status, "reproduce", "theory", "--quick", *arguments, **more)

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))


class Report(ReproduceTest):
    def test_a_report_has_its_checks_its_data_and_known_numbers(self):
        no_data = dict(os.environ, HOPFIELD_DATA=str(self.folder))
        self.reproduce("--only", FAST, "--report", "r.html", "--json=r.json", env=no_data,
                       output=r"(\d+) of \1 statements hold")
        page = (self.folder / "r.html").read_text()
        answer = json.loads((self.folder / "r.json").read_text())

        self.assertTrue(answer["all_hold"])
        self.assertEqual([s["section"] for s in answer["sections"]], FAST.split(","))
        self.assertGreater(len(answer["checks"]), 8)
        text = html.unescape(page)
        for check in answer["checks"]:
            self.assertTrue(check["holds"], check)
            self.assertIn(check["statement"], text)
        values = {check["statement"]: check["value"] for check in answer["checks"]}
        self.assertEqual(values["exact tail: theorem's ball"], 341)
        self.assertEqual(values["exact tail: sharper ball"], 861)
        # c = 2, p = 0.001: d = 1 + 4 ln(2/sqrt p)/ln c
        needed = 1 + 4 * math.log(2 / math.sqrt(0.001)) / math.log(2)
        self.assertAlmostEqual(values["(ii) depth that corollary A2's example needs"], needed, places=12)

        self.assertIn("skipped: [theory attention] expected uci/iris.csv.gz", text)
        self.assertIn("--seed 0 --quick --only " + FAST, page)
        points = self.rows("r/retrieval-error.csv")
        self.assertEqual(len(points), 7 * 2 * 32)  # betas, trials, patterns
        self.assertEqual(list(points[0]), ["beta", "trial", "pattern", "separation", "exponent", "error", "bound"])
        for row in points:
            self.assertLessEqual(float(row["error"]), float(row["bound"]) * (1 + 1e-9))
        drawn = self.rows("r/retrieval-error-errors.csv")
        self.assertEqual(list(drawn[0]), ["series", "x", "y", "error"])
        self.assertEqual(len([row for row in drawn if row["series"].startswith("beta ")]), len(points))
        self.assertEqual(list(self.rows("r/errata.csv")[0]), ["statement", "printed", "computed"])
        for path in (self.folder / "r").iterdir():
            self.assertIn(path.name, page)

    def test_attention_runs_where_its_data_is(self):
        (self.folder / "uci").mkdir()
        for seed, name in enumerate(["iris", "wine", "ionosphere", "vertebral-column-3clases"]):
            (self.folder / "uci" / f"{name}.csv").write_text(made_set(seed))
        self.reproduce("--only", "attention", "--data", ".", "--report", "r.html")
        self.assertNotIn("skipped", (self.folder / "r.html").read_text())
        self.assertEqual(len(self.rows("r/attention.csv")), 4 * 5)  # sets and betas

    def test_the_same_bytes_for_any_number_of_threads(self):
        pages = set()
        for threads in (1, 3):
            self.reproduce("--only", "retrieval-error", "--report", "r.html", "--threads", threads, "--seed", "3",
                           "--force")
            pages.add((self.folder / "r.html").read_bytes())
        self.assertEqual(len(pages), 1)
        self.reproduce("--only", "retrieval-error", "--report", "r.html", "--seed", "4", "--force")
        self.assertNotIn((self.folder / "r.html").read_bytes(), pages)

    def test_examples_of_the_help_run(self):
        for example in self.examples_of("reproduce", "theory"):
            self.expect(0, *example)


class Mistakes(ReproduceTest):
    def test_what_cannot_be_written_is_refused_before_the_work(self):
        self.write("old.html", "mine")
        (self.folder / "kept").mkdir()
        self.write("blocked", "a file")
        before = self.names()
        for arguments, status, message in [
            (["--report", "no/where.html"], 1, "the folder 'no/' does not exist"),
            (["--report", "old.html"], 1, "exists; give --force"),
            (["--report", "kept.html"], 1, "data to 'kept/': it exists.*--force"),
            (["--report", "blocked.html", "--force"], 1, "data to 'blocked/': it exists"),
            (["--report", "page.txt"], 2, "--report. expected a name that ends in .html, got 'page.txt'"),
            (["--report", ".html"], 2, "expected a name that ends in .html"),
            (["--report", "a.html", "--json=no/a.json"], 1, "the folder 'no/' does not exist"),
            (["--only", "everything"], 2, "--only: everything not in"),
            (["--seed", "-1"], 2, "--seed: expected a whole number"),
        ]:
            with self.subTest(arguments):
                # All sections: had the work been done first, this would take minutes.
                self.reproduce(*arguments, status=status, error="hopfield: error: .*" + message, timeout=30)
                self.assertEqual(self.names(), before)
        self.assertEqual((self.folder / "old.html").read_text(), "mine")

    def test_an_interrupt_leaves_nothing(self):
        process = subprocess.Popen([PROGRAM, "reproduce", "theory", "--report", "r.html", "--json=r.json"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_handles(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, out + err)
        self.assertIn("interrupted", err)
        self.assertEqual(self.names(), [])

    def test_a_section_that_is_not_there_is_named_with_those_that_are(self):
        result = self.reproduce("--only", "energie", status=2, error="--only")
        for section in SECTIONS:
            self.assertIn(section, result.stderr)


if __name__ == "__main__":
    unittest.main()
