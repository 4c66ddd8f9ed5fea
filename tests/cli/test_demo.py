"""hopfield demo on small made-up data, and tools/fetch-demo-data without a network."""

import gzip
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import unittest
import xml.etree.ElementTree

from support import PROGRAM, ProgramTest, wait_until_it_handles

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPORTS = ["--report", "report.html", "--json", "report.json"]


def bags_text(num_bags=60, num_features=4, size=3, seed=5):
    """Bags of which the odd ones hold one instance far out; like Elephant, a header and one row an instance."""
    rng = random.Random(seed)
    lines = ["bag_id,instance_id,label," + ",".join(f"f{i}" for i in range(num_features))]
    for bag in range(num_bags):
        witness = rng.randrange(size) if bag % 2 else -1
        for i in range(size):
            values = [rng.gauss(2.5 if i == witness else 0, 1) for _ in range(num_features)]
            lines.append(f"{bag + 1},{i + 1},{bag % 2}," + ",".join(f"{v:.3f}" for v in values))
    return "\n".join(lines) + "\n"


def folds_text(num_bags=60, num_folds=10):
    return "bag_id,label,skl0\n" + "".join(
        f"{b + 1},{b % 2},{b // 2 % num_folds}\n" for b in range(num_bags))


def random_picture(rng):
    return [rng.choice([0, 0, 4, 9, 16]) for _ in range(64)]


def digits_text(count=40, seed=7):
    rng = random.Random(seed)
    return "".join(",".join(map(str, random_picture(rng) + [i % 10])) + "\n" for i in range(count))


class DemoTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment = {k: v for k, v in os.environ.items() if k != "HOPFIELD_DATA"}

    def fill(self, folder="data", bags=None, folds=None, digits=None):
        for name, text in (("mil/elephant.csv.gz", bags), ("mil/elephant_folds.csv", folds),
                           ("digits/digits.csv.gz", digits)):
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())

    def demo(self, status, *arguments, **options):
        return self.expect(status, "demo", *arguments, env=self.environment, **options)

    def outputs(self):
        return sorted(name for name in self.names() if name.startswith("report"))

    def quick(self, *arguments):
        result = self.demo(0, "--data", "data", "--epochs", "2", *REPORTS, *arguments)
        return result, json.loads((self.folder / "report.json").read_text())


class Demo(DemoTest):
    def test_page_loads_nothing_and_agrees_with_the_terminal(self):
        self.fill(bags=bags_text(), folds=folds_text(), digits=digits_text())
        result, found = self.quick()
        self.assertEqual(self.outputs(), ["report.html", "report.json"])
        self.assertIn(f"AUC {found['auc_mean']:.3f}", result.stdout)
        self.assertIn(f"{found['exact_recalls']} of 40 restored exactly", result.stdout)
        self.assertEqual(found["exact_recalls"], 40)  # random pictures lie far apart
        self.assertEqual([b["model"] for b in found["bags"]["baselines"]],
                         ["stored_bags", "mean_max", "attention", "gated_attention"])
        self.assertEqual(found["bags"]["folds_origin"], "data/mil/elephant_folds.csv")
        self.assertIn("NOT the folds", (self.folder / "report.html").read_text())  # made-up ones are not skl0
        page = (self.folder / "report.html").read_text()
        self.assertIn(f"{found['auc_mean']:.3f}", page)
        self.assertIn("data/digits/digits.csv.gz", page)

        root = xml.etree.ElementTree.fromstring(page)
        for element in root.iter():
            self.assertNotIn(element.tag, ("script", "link", "iframe", "img"))
            for name, value in element.attrib.items():
                self.assertFalse(name in ("src", "href") and not value.startswith("#"), (name, value))
        self.assertNotRegex(page.replace("http://www.w3.org/2000/svg", ""), r"https?://|@import|url\(")
        pictures = [e for e in root.iter("{http://www.w3.org/2000/svg}svg") if e.get("class") == "hf-picture"]
        self.assertGreaterEqual(len(pictures), 4 * 10)  # a picture of each digit, at least

    def test_same_seed_gives_the_same_bits_but_for_the_times(self):
        self.fill(bags=bags_text(), folds=folds_text(), digits=digits_text())

        def run():
            _, found = self.quick("--seed", "3")
            found.pop("times")
            page = (self.folder / "report.html").read_text()
            before, times, after = re.split(r"(<h2 [^>]*>Times</h2>.*?</section>)", page, flags=re.S)
            self.assertIn(" s</dd>", times)
            return found, before, after

        self.assertEqual(run(), run())

    def test_pictures_that_share_their_upper_half_are_counted_as_failures(self):
        rows = [line.split(",") for line in digits_text().splitlines()]
        rows[1][:32] = rows[0][:32]
        rows.append(rows[5])  # an equal picture is kept once
        self.fill(bags=bags_text(), folds=folds_text(), digits="".join(",".join(r) + "\n" for r in rows))
        _, found = self.quick()
        self.assertEqual(found["pictures"], 40)
        self.assertEqual(found["digits"]["repeated_left_out"], 1)
        self.assertIn(found["exact_recalls"], (38, 39))  # both settle on one of the two, or between them
        self.assertEqual(found["digits"]["runs"][-1]["exact_recalls"], 39)  # the nearest takes the first
        self.assertIn("pixels off", (self.folder / "report.html").read_text())

    def test_makes_folds_where_there_are_none_and_says_so(self):
        self.fill(bags=bags_text(), digits=digits_text())
        _, found = self.quick("--seed", "4")
        self.assertRegex(found["bags"]["folds_origin"], "made by this program.*seed 4")
        self.assertIn("NOT the folds", (self.folder / "report.html").read_text())

    def test_looks_where_the_environment_says_and_prefers_folds(self):
        self.fill(bags=bags_text(), digits=digits_text())
        self.fill(folder="elsewhere", bags=bags_text(), folds=folds_text())
        self.environment["HOPFIELD_DATA"] = "elsewhere"
        result = self.demo(0, "--data", "data", "--epochs", "1", "--json", "-")
        found = json.loads(result.stdout)
        self.assertEqual(found["pictures"], 40)
        # A folder that has the folds, too, comes first.
        self.assertEqual(found["bags"]["folds_origin"], "elsewhere/mil/elephant_folds.csv")

    def test_missing_data_is_named_with_the_remedy(self):
        self.fill(bags=bags_text(), folds=folds_text())
        self.demo(1, "--data", "data", *REPORTS, error=r"digits/digits\.csv\.gz in one of data, .*got none; run tools/fetch-demo-data")
        self.assertEqual(self.outputs(), [])

    def test_damaged_data_is_named_by_line_and_column(self):
        rows = [line.split(",") for line in digits_text().splitlines()]
        rows[2][5] = "17"
        self.fill(bags=bags_text(), folds=folds_text(), digits="".join(",".join(r) + "\n" for r in rows))
        self.demo(3, "--data", "data", "--epochs", "1", *REPORTS, error="0 to 16 in .*line 3, column '6'.*got 17")
        self.assertEqual(self.outputs(), [])

    def test_output_that_cannot_be_written_is_refused_before_the_work(self):
        self.fill(bags="never read", digits=digits_text())
        self.demo(1, "--data", "data", "--report", "no/such/folder/report.html", error="no/such/folder")

    def test_interrupt_leaves_nothing_and_exits_130(self):
        self.fill(bags=bags_text(num_bags=400, num_features=60, size=20), folds=folds_text(num_bags=400),
                  digits=digits_text())
        process = subprocess.Popen([PROGRAM, "demo", "--data", "data", "--epochs", "2000", *REPORTS],
                                   cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        wait_until_it_handles(process, signal.SIGINT)
        self.assertIsNone(process.poll(), "ended before it could be interrupted")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, error)
        self.assertEqual(self.outputs(), [])

    def test_help_shows_a_command_line(self):
        self.assertIn(["demo", "--data", "build/demo-data", "--report", "demo/report.html", "--json",
                       "demo/report.json"], self.examples_of("demo"))


def load_fetch():
    loader = importlib.machinery.SourceFileLoader("fetch_demo_data", str(ROOT / "tools/fetch-demo-data"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_demo_data", loader))
    loader.exec_module(module)
    return module


class FetchDemoData(ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.fetch = load_fetch()

    def test_generator_is_mt19937(self):
        twister = self.fetch.MersenneTwister(5489)
        values = [twister.source.getrandbits(32) for _ in range(10000)]
        self.assertEqual(values[-1], 4123659995)  # the C++ standard's check value

    def test_folds_are_those_of_the_published_experiments(self):
        # 100 positive bags, then 100 negative ones: Elephant's labels in file order.
        text = self.fetch.folds_table([(bag, 1 if bag <= 100 else 0) for bag in range(1, 201)])
        digest = self.fetch.hashlib.sha256(text.encode()).hexdigest()
        self.assertEqual(digest, self.fetch.SHA256["mil/elephant_folds.csv"])
        shared = ROOT.parent / "shared/data/mil/elephant_folds.csv"
        if shared.is_file():
            columns = [",".join(line.split(",")[:7]) for line in shared.read_text().splitlines()]
            self.assertEqual(text.splitlines(), columns)

    def test_folds_are_stratified(self):
        labels = [0] * 23 + [1] * 31
        folds = self.fetch.stratified_folds(labels, 5, 11)
        for label in (0, 1):
            sizes = [sum(f == k and l == label for f, l in zip(folds, labels)) for k in range(5)]
            self.assertLessEqual(max(sizes) - min(sizes), 1)

    def test_table_gets_named_columns_and_instances(self):
        table, bags = self.fetch.elephant_table(b"1,7,0.5,-1\n1,7,2,3\n0,8,1e-5,4\n")
        self.assertEqual(table, "bag_id,instance_id,label,f0,f1\n7,1,1,0.5,-1\n7,2,1,2,3\n8,1,0,1e-5,4\n")
        self.assertEqual(bags, [(7, 1), (8, 0)])

    def test_wrong_content_is_refused(self):
        with self.assertRaises(SystemExit) as caught, open(os.devnull, "w") as null:
            saved, sys.stderr = sys.stderr, null
            try:
                self.fetch.put(self.folder, "digits/digits.csv.gz", b"1,2,3\n")
            finally:
                sys.stderr = saved
        self.assertEqual(caught.exception.code, 1)
        self.assertEqual(list((self.folder / "digits").iterdir()), [])

    def test_without_a_network_it_says_what_to_do_and_leaves_nothing(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environment.update(PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
        result = subprocess.run([sys.executable, ROOT / "tools/fetch-demo-data", "--into", self.folder / "data"],
                                env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("could not download", result.stderr)
        self.assertIn("docs/howto/demo.md", result.stderr)
        self.assertEqual([path for path in (self.folder / "data").rglob("*") if path.is_file()], [])


if __name__ == "__main__":
    unittest.main()
