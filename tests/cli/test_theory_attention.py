"""hopfield theory attention: layers equal to the plain form of four classifiers, on made data and, where it is
there, on the UCI sets."""

import csv
import gzip
import json
import os
import pathlib
import random
import unittest

from support import ProgramTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSIFIERS = ["1-NN", "5-NN", "5-NN, weighted", "RBF-SVM", "LVQ"]
DEFAULT_SETS = ["iris", "wine", "ionosphere", "vertebral-column-3clases"]


def made_set(seed, num_classes=3, depth=3, count=60):
    """A set in the collection's form: every third row is in the test of split 0, no row in that of split 3."""
    draw = random.Random(seed)
    lines = [",".join([f"f{c}" for c in range(depth)] + ["label"] + [f"test{s}" for s in range(4)])]
    for row in range(count):
        label = row % num_classes
        x = [draw.gauss(2.0 if c == label else 0.0, 1.0) for c in range(depth)]
        tests = [int(row // num_classes % 3 == s) for s in range(3)] + [0]
        lines.append(",".join([f"{v:.6f}" for v in x] + [str(label)] + [str(t) for t in tests]))
    return "\n".join(lines) + "\n"


class AttentionTest(ProgramTest):
    def setUp(self):
        super().setUp()
        (self.folder / "uci").mkdir()
        for seed, name in enumerate(DEFAULT_SETS):
            (self.folder / "uci" / f"{name}.csv.gz").write_bytes(gzip.compress(made_set(seed).encode()))
        self.environment = dict(os.environ, HOPFIELD_DATA=str(self.folder))

    def attention(self, *arguments, status=0, **more):
        return self.expect(status, "theory", "attention", *arguments, env=self.environment, **more)

    def attention_json(self, *arguments):
        return json.loads(self.attention(*arguments, "--json").stdout)

    def test_examples_of_the_help_run(self):
        for example in self.examples_of("theory", "attention"):
            with self.subTest(example):
                self.expect(0, *example, env=self.environment)

    def test_every_layer_equals_the_plain_form(self):
        result = self.attention_json()
        self.assertTrue(result["equal"])
        self.assertTrue(result["converged"])
        self.assertEqual([one["set"] for one in result["sets"]], DEFAULT_SETS)
        for one in result["sets"]:
            self.assertEqual((one["num_train"], one["num_test"], one["depth"], one["num_classes"]), (39, 21, 3, 3))
            self.assertEqual([layer["classifier"] for layer in one["layers"]], CLASSIFIERS)
            for layer in one["layers"]:
                self.assertEqual(layer["num_differ"], 0)
                # Chance is 7 of 21; the clouds stand two deviations apart.
                self.assertGreater(layer["num_correct"], 10)
                self.assertLessEqual(layer["error_max"], layer["error_allowed"])
            self.assertGreater(one["lvq"]["log_likelihood"], one["lvq"]["log_likelihood_start"])
            self.assertEqual([point["beta"] for point in one["nearest_at_beta"]], [1, 10, 100, 1000, 10000])
            self.assertLess(one["nearest_at_beta"][-1]["mass_median"], one["nearest_at_beta"][0]["mass_median"])
            for point in one["nearest_at_beta"]:
                self.assertEqual(point["num_violations"], 0)

    def test_a_split_with_other_test_rows_gives_other_answers(self):
        first, second = (self.attention_json("--set", "iris", "--split", s)["sets"][0] for s in (0, 1))
        self.assertNotEqual(first["layers"], second["layers"])

    def test_the_same_bytes_for_any_number_of_threads(self):
        self.assertEqual(len({self.attention("--json", "--threads", n).stdout for n in (1, 3)}), 1)

    def test_pictures_and_pages_are_written(self):
        self.attention("--set", "iris", "--report", "r.html", "--svg", "p.svg", "--csv", "t.csv", "--json=j.json")
        self.assertIn("<svg", (self.folder / "r.html").read_text())
        self.assertIn("<svg", (self.folder / "p.svg").read_text())
        with open(self.folder / "t.csv", newline="") as file:
            self.assertEqual(len(list(csv.DictReader(file))), 5)
        self.assertTrue(json.loads((self.folder / "j.json").read_text())["equal"])

    def test_mistakes_are_named(self):
        for arguments, status, message in [
            (["--set", "nowhere"], 1, r"expected uci/nowhere.csv.gz or uci/nowhere.csv in one of .*--data"),
            (["--split", "4"], 2, "--split"),
            (["--split", "3"], 3, "split 3: expected test rows"),
            (["--cost", "0"], 2, "--cost"),
            (["--beta", "0"], 2, "expected numbers > 0"),
            (["--report", "no/where.html"], 1, "no"),
        ]:
            with self.subTest(arguments):
                self.attention(*arguments, status=status, error=message)

    def test_values_of_another_program_stand_beside(self):
        """Of 21 test rows, all said to be of class 0: two thirds are not."""
        head = "set,split,row,classifier,v0,v1,v2\n"
        rows = [f"iris,0,{row},1-NN,1,0,0\n" for row in range(21)]
        (self.folder / "other.csv").write_text(head + "".join(rows) + "iris,1,0,1-NN,1,0,0\n")
        result = self.attention("--set", "iris", "--beside", "other.csv", "--json", status=4,
                                error="test rows that 'other.csv' decides otherwise")
        beside, = json.loads(result.stdout)["beside"]
        self.assertEqual((beside["set"], beside["classifier"], beside["num_states"]), ("iris", "1-NN", 21))
        self.assertGreater(beside["num_differ"], 7)
        self.assertEqual((beside["num_ties"], beside["difference_max"]), (0, 1))
        for text, status, message in [
            (head + rows[0], 3, "iris, 1-NN: expected 21 rows with a value for 3 classes"),
            (head + rows[1], 3, "line 2, column 'row'.*expected row 0, got 1"),
            (head.replace("split", "part"), 2, "expected a column .split."),
            (head, 4, "layers that 'other.csv' has values for: 0"),
        ]:
            with self.subTest(message):
                (self.folder / "other.csv").write_text(text)
                self.attention("--set", "iris", "--beside", "other.csv", status=status, error=message)

    def test_damaged_data_is_named(self):
        for text, message in [
            ("a,label,test0\n1,0,0\n", "expected columns f0"),
            ("f0,label,test0\n1,-1,0\n", "line 2, column 'label'.*expected a class from 0"),
            ("f0,label,test0\n1,0,0\n2,0,1\n", "at least two classes"),
            ("f0,label,test0\nx,0,0\n", "line 2, column 'f0'"),
        ]:
            with self.subTest(message):
                (self.folder / "uci" / "bad.csv").write_text(text)
                self.attention("--set", "bad", status=3, error=message)


class RealData(ProgramTest):
    def data_folder(self):
        folders = [os.environ.get("HOPFIELD_DATA", "/nowhere"), ROOT.parent / "shared/data",
                   ROOT.parent.parent / "shared/data"]
        folder = next((f for f in folders if (pathlib.Path(f) / "uci/iris.csv.gz").exists()), None)
        if folder is None:
            self.skipTest("no uci/iris.csv.gz; name the folder that holds uci/ in HOPFIELD_DATA")
        return folder

    def test_layers_equal_the_classifiers_of_scikit_learn(self):
        golden = ROOT / "tests/parity/golden/attention/scikit_learn.csv"
        found = self.expect(0, "theory", "attention", "--data", self.data_folder(), "--beside", golden, "--json")
        beside = json.loads(found.stdout)["beside"]
        self.assertEqual({(one["set"], one["classifier"]) for one in beside},
                         {(s, c) for s in DEFAULT_SETS for c in CLASSIFIERS if c != "LVQ"})
        for one in beside:
            self.assertEqual(one["num_differ"], 0, one)
            self.assertLessEqual(one["num_ties"], 2, one)
            # libsvm keeps its kernel in single precision; votes and shares only round.
            self.assertLess(one["difference_max"], 1e-6 if one["classifier"] == "RBF-SVM" else 1e-13, one)

    def test_every_layer_equals_the_plain_form_on_real_sets(self):
        folder = self.data_folder()
        result = json.loads(self.expect(0, "theory", "attention", "--data", folder, "--json").stdout)
        self.assertTrue(result["equal"])
        for one in result["sets"]:
            for layer in one["layers"]:
                self.assertEqual(layer["num_differ"], 0, (one["set"], layer))
                self.assertLess(layer["num_undecided"], layer["num_states"] / 2, (one["set"], layer))


if __name__ == "__main__":
    unittest.main()
