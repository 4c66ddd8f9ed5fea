"""hopfield reproduce memory: what the report holds on small made-up pictures, and how it fails."""

import csv
import gzip
import json
import os
import random
import struct
import unittest

from support import ProgramTest

SECTIONS = ["pictures", "networks", "static-retrieval", "sphere", "error-bound"]


def digits_text(count=60, seed=7):
    """As the table that scikit-learn ships: 64 grey values and the digit; pictures far apart."""
    rng = random.Random(seed)
    return "".join(",".join(str(x) for x in [rng.choice([0, 0, 4, 9, 16]) for _ in range(64)] + [i % 10]) + "\n"
                   for i in range(count))


def idx_bytes(shape, values):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(values)


class ReproduceMemoryTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment = dict(os.environ, HOPFIELD_DATA=str(self.folder / "nothing"))

    def fill_digits(self):
        (self.folder / "digits").mkdir()
        self.write("digits/digits.csv.gz", gzip.compress(digits_text().encode()))

    def reproduce(self, *arguments, status=0, **more):
        # In a folder of its own, so that ../shared/data is not found.
        return self.expect(status, "reproduce", "memory", "--quick", "--data", ".", *arguments, env=self.environment,
                           **more)

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))


class Report(ReproduceMemoryTest):
    def test_small_pictures_are_recalled_as_they_must_be(self):
        self.fill_digits()
        result = self.reproduce("--report", "r.html", "--json=r.json", output=r"(\d+) of \1 statements hold")
        answer = json.loads((self.folder / "r.json").read_text())
        self.assertTrue(answer["all_hold"])
        (skipped,) = answer["skipped"]  # digits are there, and three sections want MNIST
        for part in ("expected mnist/train-images-idx3-ubyte.gz", "published by", "--data"):
            self.assertIn(part, skipped)
        self.assertEqual(result.stdout.count("skipped: " + skipped), 1)
        self.assertEqual([s["section"] for s in answer["sections"]], SECTIONS)
        page = (self.folder / "r.html").read_text()
        self.assertIn("skipped: [reproduce memory] expected mnist/train-images-idx3-ubyte.gz", page)
        for path in (self.folder / "r").iterdir():
            self.assertIn(path.name, page)

        betas = self.rows("r/digits-betas.csv")
        self.assertEqual({row["num_cues"] for row in betas}, {"50"})
        rate = {(row["damage"], row["method"], float(row["beta"])): float(row["exact_rate"]) for row in betas}
        self.assertEqual(rate["half hidden", "hidden part not known", 4096], 1)
        self.assertLess(rate["half hidden", "hidden part not known", 1], 1)  # averages some
        for row in betas:
            self.assertLessEqual(float(row["low"]), float(row["exact_rate"]))
            self.assertGreaterEqual(float(row["high"]), float(row["exact_rate"]))
            self.assertLessEqual(int(row["num_exact"]), int(row["num_identified"]))

        stored = self.rows("r/digits-networks.csv")
        self.assertEqual(sorted({int(row["stored"]) for row in stored}), [1, 3, 10, 30, 60])
        last = {row["method"]: int(row["num_exact"]) for row in stored
                if row["stored"] == "60" and row["damage"] == "salt and pepper"}
        self.assertEqual(last["classical (Hebb)"], 0)
        self.assertEqual(last["modern"], last["nearest neighbour"])

        similar = self.rows("r/digits-similar.csv")
        self.assertEqual([row["num_exact"] for row in similar if row["network"] == "modern, hidden part not known"],
                         ["1", "6", "6"])  # of each digit there are six
        for name in ("error-random", "error-digits"):
            for row in self.rows(f"r/{name}.csv"):
                self.assertLessEqual(float(row["error"]), float(row["bound"]) * (1 + 1e-9))
        for row in self.rows("r/sphere.csv"):
            self.assertGreaterEqual(float(row["median"]), float(row["theorem_3"]))

    def test_mnist_files_are_read(self):
        (self.folder / "mnist").mkdir()
        rng = random.Random(3)
        pixels = [rng.choice([0, 255, 255]) for _ in range(30 * 100)]
        self.write("mnist/train-images-idx3-ubyte", idx_bytes([30, 10, 10], pixels))
        self.write("mnist/train-labels-idx1-ubyte", idx_bytes([30], [i % 10 for i in range(30)]))
        result = self.reproduce("--only", "static-retrieval", "--report", "r.html", "--json")
        (skipped,) = json.loads(result.stdout)["skipped"]
        self.assertIn("expected digits/digits.csv.gz", skipped)
        self.assertEqual({row["stored"] for row in self.rows("r/mnist-similar.csv")}, {"1", "3"})
        self.write("mnist/train-labels-idx1-ubyte", idx_bytes([29], [0] * 29))
        self.reproduce("--only", "static-retrieval", "--report", "s.html", status=3,
                       error="digit for each picture in ./mnist/train-labels-idx1-ubyte")

    def test_the_same_bytes_for_any_number_of_threads(self):
        self.fill_digits()
        pages = set()
        for threads in (1, 3):
            self.reproduce("--only", "networks,static-retrieval", "--report", "r.html", "--threads", threads,
                           "--force")
            pages.add((self.folder / "r.html").read_bytes())
        self.assertEqual(len(pages), 1)

    def test_examples_of_the_help_run(self):
        for example in self.examples_of("reproduce", "memory"):
            self.expect(0, *example, env=self.environment)


class Mistakes(ReproduceMemoryTest):
    def test_damaged_pictures_are_named(self):
        (self.folder / "digits").mkdir()
        self.write("digits/digits.csv.gz", gzip.compress(b"1,2,3\n"))
        self.reproduce("--only", "pictures", status=3, error="expected 65 columns in ./digits/digits.csv.gz, got 3")
        self.assertEqual(self.names(), ["digits"])

    def test_a_section_that_is_not_there_is_named_with_those_that_are(self):
        result = self.reproduce("--only", "sounds", status=2, error="--only")
        for section in SECTIONS:
            self.assertIn(section, result.stderr)


if __name__ == "__main__":
    unittest.main()
