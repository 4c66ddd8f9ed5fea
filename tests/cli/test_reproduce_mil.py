"""hopfield reproduce mil: what it writes, that it goes on where it was stopped, and how it fails. On a small set of
our own under the name of a real one."""

import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from support import PROGRAM, ProgramTest, wait_until_it_handles
from test_mil import csv_text, toy_rows

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ["stored_bags", "hopfield", "hopfield_plain", "attention", "gated_attention", "mean_max", "mean", "max"]
OUTSIDE = ["forest", "boosting", "set_kernel"]
SKIPPED = r"skipped: forest, boosting and set kernel: expected tools/mil_baselines.py in the current folder"

# Scores every bag by its number; as the real script it is asked for versions first.
STUB = """import csv, json, sys
if sys.argv[1] == "--versions":
    print(json.dumps({"python": "stub"}))
else:
    folds = [int(row[sys.argv[3]]) for row in csv.DictReader(open(sys.argv[2]))]
    bags = [[b for b, f in enumerate(folds) if f == k] for k in range(max(folds) + 1)]
    print(json.dumps({"folds": [{"fold": k, "bags": own, "scores": [b % 7 for b in own]}
                                for k, own in enumerate(bags)]}))
"""


def folds_text(num_bags=24, num_folds=3):
    lines = ["bag_id,label," + ",".join(f"skl{r}" for r in range(5))]
    for b in range(num_bags):
        folds = [(b // 2 * step) % 12 % num_folds for step in (1, 5, 7, 11, 13)]
        lines.append(f"b{b},{b % 2}," + ",".join(map(str, folds)))
    return "\n".join(lines) + "\n"


class ReproduceMilTest(ProgramTest):
    def setUp(self):
        super().setUp()
        (self.folder / "mil").mkdir()
        self.write("mil/musk1.csv.gz", gzip.compress(csv_text(toy_rows()).encode()))
        self.write("mil/musk1_folds.csv", folds_text())

    def reproduce(self, *options, status, quick=True, **more):
        arguments = ["reproduce", "mil", "--set", "musk1", "--data", ".", "-o", "out", *options]
        return self.expect(status, *arguments, *(["--quick"] if quick else []), **more)

    def result(self):
        result = json.loads((self.folder / "out/result.json").read_text())
        del result["seconds"]
        for group in result["sets"]:
            for model in group["models"]:
                del model["seconds_of_one_thread"]
        return result

    def units(self):
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "out/units").iterdir()}


class Protocol(ReproduceMilTest):
    def test_it_writes_tables_page_and_numbers_and_goes_on_where_it_was(self):
        shown = self.reproduce(status=0, error=SKIPPED).stdout
        result = self.result()
        (group,) = result["sets"]
        self.assertEqual([model["model"] for model in group["models"]], OURS)
        self.assertEqual([paired["baseline"] for paired in group["comparisons"]], OURS[1:])
        self.assertEqual([check["holds"] for check in result["checks"]], [True])
        self.assertEqual(result["repetitions"], ["skl0"])
        self.assertEqual(len(result["grid"]), 3)
        for model in group["models"]:
            (repetition,) = model["repetitions"]
            self.assertEqual(len(repetition["fold_aucs"]), 3)
            self.assertAlmostEqual(model["auc_mean"], sum(repetition["fold_aucs"]) / 3, places=12)
            self.assertIn(model["title"], shown)
        chosen = group["models"][2]["repetitions"][0]["chosen"]
        self.assertLessEqual(set(chosen), set(result["grid"]))
        page = (self.folder / "out/report.html").read_text()
        self.assertIn("--quick", page)
        self.assertIn("skipped: forest", page)
        self.assertIn("| **stored bags** |", (self.folder / "out/tables.md").read_text())
        before = self.units()
        self.assertEqual(sorted(before), sorted(f"musk1-skl0-{model}.json" for model in OURS))

        (self.folder / "out/units/musk1-skl0-mean.json").unlink()
        self.write("out/units/musk1-skl0-max.json", "{\"key\": 1")  # as if damaged
        self.reproduce(status=0, error=SKIPPED)
        after = self.units()
        computed = {name for name in after if after[name] != before.get(name)}
        self.assertEqual(computed, {"musk1-skl0-mean.json", "musk1-skl0-max.json"})
        self.assertEqual(self.result(), result)

        # Another seed is another run; other data are, too, and these miss Musk1's goal: their labels are by lot.
        self.reproduce("--seed", "1", status=0, error=SKIPPED)
        self.assertNotEqual(self.result()["sets"], result["sets"])
        rows = toy_rows()
        for i, row in enumerate(rows[1:]):
            row[3:] = [str(i * 37 % 101), str(i * 59 % 103), str(i * 83 % 107)]
        self.write("mil/musk1.csv.gz", gzip.compress(csv_text(rows).encode()))
        self.reproduce("--threads", "1", status=4, error=SKIPPED + ".*1 of 1 statements do not hold")
        self.assertEqual([check["holds"] for check in self.result()["checks"]], [False])

    def test_baselines_come_from_the_script_that_is_there(self):
        (self.folder / "tools").mkdir()
        self.write("tools/mil_baselines.py", STUB)
        self.reproduce("--python", sys.executable, status=0)
        (group,) = self.result()["sets"]
        self.assertEqual([model["model"] for model in group["models"]], OURS + OUTSIDE)
        self.assertEqual(self.result()["python"], {"python": "stub"})
        # The scores b % 7 against the labels b % 2, counted by hand here.
        unit = json.loads((self.folder / "out/units/musk1-skl0-forest.json").read_text())
        for fold in unit["result"]["repetitions"][0]["folds"]:
            pairs = [(p % 7 > n % 7) + (p % 7 == n % 7) / 2
                     for p in fold["bags"] if p % 2 for n in fold["bags"] if n % 2 == 0]
            self.assertAlmostEqual(fold["auc"], sum(pairs) / len(pairs), places=12)

        failing = STUB.replace("else:", "elif sys.argv[4] == 'boosting':\n    sys.exit(1)\nelse:")
        self.write("tools/mil_baselines.py", failing)
        self.reproduce("--python", sys.executable, status=1, error="expected boosting on musk1.*exit status 1")
        self.write("tools/mil_baselines.py", STUB.replace('"bags": own', '"bags": own[1:]'))
        self.reproduce("--python", sys.executable, status=1, error="bags of fold 0.*got others")
        self.write("tools/mil_baselines.py", "import no_such_module")
        self.reproduce("--python", sys.executable, status=0, error="skipped: .*expected scikit-learn.*tools/setup")

    def test_stopped_it_says_so_and_keeps_what_is_finished(self):
        process = subprocess.Popen([PROGRAM, "reproduce", "mil", "--set", "musk1", "--data", ".", "-o", "out"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_handles(process, signal.SIGTERM)
        units = self.folder / "out/units"
        while process.poll() is None and not (units.is_dir() and list(units.iterdir())):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("kept in out/units", errors)
        self.assertFalse((self.folder / "out/report.html").exists())
        kept = self.units()
        self.assertTrue(kept)
        for name in kept:
            json.loads((units / name).read_text())


class Refusals(ReproduceMilTest):
    def test_what_is_missing_or_wrong_is_named(self):
        nowhere = dict(os.environ, HOPFIELD_DATA=str(self.folder / "none"))
        self.expect(1, "reproduce", "mil", "--set", "fox", "--data", "none", env=nowhere, error=r"fox\.csv\.gz.*--data")
        self.expect(2, "reproduce", "mil", "--set", "lion", error="lion")
        self.expect(2, "reproduce", "mil", "--rounds", "3", error="unknown option '--rounds'")
        self.write("mil/musk1_folds.csv", folds_text().replace("skl4", "other"))
        self.reproduce(status=2, quick=False, error="skl4")
        self.write("out", "a file")
        self.reproduce(status=1, error="cannot make the folder")

    def test_both_programs_know_it(self):
        self.expect(0, "reproduce", "--help", output=r"theory.*mil +Five sets of bags")
        here = dict(os.environ, HOPFIELD_DATA=str(self.folder))
        for example in self.examples_of("reproduce", "mil"):
            self.expect(0, *example, env=here, error=SKIPPED)
            self.assertTrue((self.folder / "musk1/report.html").exists())
        self.expect(2, "reproduce", error="there are: theory, memory, mil")


class Script(ReproduceMilTest):
    def test_the_script_scores_the_test_bags_of_every_fold(self):
        python = ROOT / ".venv/bin/python"
        script = [str(python), str(ROOT / "tools/mil_baselines.py")]
        if not python.exists() or subprocess.run(script + ["--versions"], capture_output=True).returncode:
            self.skipTest("skipped: no scikit-learn in .venv")
        folds = [int(line.split(",")[2]) for line in folds_text().splitlines()[1:]]
        for model in OUTSIDE:
            arguments = ["mil/musk1.csv.gz", "mil/musk1_folds.csv", "skl0", model]
            outputs = [subprocess.run(script + arguments + ["--jobs", jobs], cwd=self.folder, check=True, text=True,
                                      capture_output=True).stdout for jobs in ("1", "2")]
            self.assertEqual(outputs[0], outputs[1])
            for k, fold in enumerate(json.loads(outputs[0])["folds"]):
                self.assertEqual(fold["bags"], [b for b, f in enumerate(folds) if f == k])
                self.assertEqual(len(fold["scores"]), len(fold["bags"]))


if __name__ == "__main__":
    unittest.main()
