"""hopfield mil: what it writes, that it repeats itself, and how it fails."""

import csv
import gzip
import io
import json
import math
import os
import pathlib
import pty
import random
import select
import signal
import subprocess
import time
import unittest

from support import PROGRAM, ProgramTest, read_safetensors, wait_until_it_handles

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = ["--embedding", "8", "--heads", "2", "--head-size", "4", "--beta", "0,1"]


def toy_rows(num_bags=24, seed=1):
    """A header and rows of bags: one witness, high in x and y, makes a bag positive."""
    rng = random.Random(seed)
    rows = [["bag_id", "instance_id", "label", "x", "y", "z"]]
    for bag in range(num_bags):
        label = bag % 2
        size = rng.randint(2, 5)
        witness = rng.randrange(size) if label else -1
        for i in range(size):
            x, y, z = (round(rng.gauss(0, 1), 3) for _ in range(3))
            if i == witness:
                x, y = round(2.5 + x / 4, 3), round(2.5 + y / 4, 3)
            elif x > 1:
                y = -abs(y)
            rows.append([f"b{bag}", str(i + 1), str(label), str(x), str(y), str(z)])
    return rows


def csv_text(rows):
    return "".join(",".join(row) + "\n" for row in rows)


def folds_text(num_bags=24, num_folds=3):
    lines = ["bag_id,label,r0,r1"]
    lines += [f"b{b},{b % 2},{b // 2 % num_folds},{b // 2 * 5 % 12 % num_folds}" for b in range(num_bags)]
    return "\n".join(lines) + "\n"


def without_times(text):
    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if not k.startswith("seconds") and k != "command"}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return strip(json.loads(text))


class MilTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.rows = toy_rows()
        self.write("d.csv", csv_text(self.rows))
        self.write("folds.csv", folds_text())

    def cv(self, *options, status=0, data="d.csv", **more):
        return self.expect(status, "mil", "cv", data, *QUICK, "--epochs", "4", *options, **more)

    def fit(self, *options, epochs=4, status=0, data="d.csv", **more):
        return self.expect(status, "mil", "fit", data, "-o", "m.safetensors", "--num-folds", "4", *QUICK,
                           "--epochs", epochs, *options, **more)

    def succeed(self, *arguments):
        """Runs; on a slow machine it may say first how long it will take."""
        result = self.run_program(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"^(hopfield: [a-z-]+: at most about .*\n)?$")

    def predict(self, *options, data="d.csv", **more):
        text = self.expect(0, "mil", "predict", "m.safetensors", data, *options, **more).stdout
        return {row["bag_id"]: float(row["score"]) for row in csv.DictReader(io.StringIO(text))}


class Cv(MilTest):
    def test_prints_a_table_and_writes_json_and_a_page(self):
        result = self.cv("--folds", "folds.csv", "--json", "r.json", "--report", "r.html")
        for word in ("HopfieldPooling", "gated attention", "Wilcoxon", "24 bags (12 positive)", "r0", "r1", "Brier", "ECE"):
            self.assertIn(word, result.stdout)
        document = json.loads((self.folder / "r.json").read_text())
        for key in ("auc_mean", "auc_sd", "repetitions", "baselines", "comparisons", "seed", "settings",
                    "versions"):
            self.assertIn(key, document)
        self.assertEqual([b["model"] for b in document["baselines"]],
                         ["mean_max", "attention", "gated_attention"])
        repetitions = document["repetitions"]
        self.assertEqual([r["name"] for r in repetitions], ["r0", "r1"])
        self.assertAlmostEqual(document["auc_mean"], sum(r["auc"] for r in repetitions) / 2, places=12)
        for repetition in repetitions:
            folds = [fold["auc"] for fold in repetition["folds"]]
            self.assertAlmostEqual(repetition["auc"], sum(folds) / 3, places=12)
            self.assertEqual(sorted(bag for fold in repetition["folds"] for bag in fold["bags"]),
                             list(range(24)))
        self.assertIn("--folds folds.csv", document["command"])
        calibration = document["calibration"]
        self.assertEqual(sum(entry["count"] for entry in calibration["bins"]), 24)  # the first repetition
        error = sum(entry["count"] / 24 * abs(entry["observed"] - entry["mean_probability"])
                    for entry in calibration["bins"])
        self.assertAlmostEqual(calibration["ece"], error, places=12)
        page = (self.folder / "r.html").read_text()
        self.assertIn("Reliability", page)
        self.assertTrue(page.startswith("<!DOCTYPE html>"))
        self.assertIn("<svg", page)
        self.assertIn("hopfield mil cv d.csv", page)
        self.assertEqual(self.names(), ["d.csv", "folds.csv", "r.html", "r.json"])

    def test_same_seed_same_bits_for_any_number_of_threads(self):
        runs = [self.cv("--num-folds", "3", "--seed", "5", "--json", "-", "--threads", n).stdout
                for n in ("1", "2", "2")]
        self.assertEqual(without_times(runs[0]), without_times(runs[1]))
        self.assertEqual(without_times(runs[1]), without_times(runs[2]))
        other = self.cv("--num-folds", "3", "--seed", "6", "--json", "-").stdout
        self.assertNotEqual(without_times(runs[0]), without_times(other))

    def test_repetitions_are_chosen_by_name(self):
        result = self.cv("--folds", "folds.csv", "--repetitions", "r1", "--baselines", "none", "--json", "-")
        document = json.loads(result.stdout)
        self.assertEqual([r["name"] for r in document["repetitions"]], ["r1"])
        self.assertEqual(document["baselines"], [])
        self.assertIsNone(document["auc_sd"])

    def test_own_columns_and_formats_mean_the_same(self):
        plain = without_times(self.cv("--folds", "folds.csv", "--json", "-").stdout)
        header = ["slide", "tile", "cancer", "x", "y", "z", "note"]
        text = csv_text([header] + [row + ["7"] for row in self.rows[1:]])
        self.write("own.tsv.gz", gzip.compress(text.replace(",", "\t").encode()))
        self.write("own_folds.csv", folds_text().replace("bag_id", "slide"))
        result = self.cv("--bag-column", "slide", "--label-column", "cancer", "--instance-column", "tile",
                         "--ignore", "note", "--folds", "own_folds.csv", "--json", "-", data="own.tsv.gz")
        own = without_times(result.stdout)
        self.assertEqual(own.pop("data")["features"], 3)
        plain.pop("data")
        self.assertEqual(own, plain)

    def test_npy_gives_the_same_as_csv(self):
        values = [float(cell) for row in self.rows[1:] for cell in row[3:]]
        bags = [row[0] for row in self.rows[1:]]
        offsets = [i for i, bag in enumerate(bags) if i == 0 or bags[i - 1] != bag] + [len(bags)]
        self.write_npy("v.npy", values, [len(bags), 3])
        self.write_npy("o.npy", offsets, [25], "<i8")
        self.write_npy("l.npy", [b % 2 for b in range(24)], [24], "<i8")
        options = ["--num-folds", "3", "--json", "-", "--baselines", "none"]
        npy = without_times(self.cv("--offsets", "o.npy", "--labels", "l.npy", *options, data="v.npy").stdout)
        text = without_times(self.cv(*options).stdout)
        npy.pop("data"), text.pop("data")
        self.assertEqual(npy, text)
        self.expect(2, "mil", "cv", "v.npy", error=r"--offsets")
        offsets[3] = offsets[2]
        self.write_npy("o.npy", offsets, [25], "<i8")
        self.expect(3, "mil", "cv", "v.npy", "--offsets", "o.npy", "--labels", "l.npy",
                    error=r"at least one instance.*bag 3")

    def test_settings_are_used_and_shown(self):
        document = json.loads(self.cv("--num-folds", "3", "--json", "-", "--baselines", "none", "--model",
                                      "attention", "--scale", "rank", "--members", "2").stdout)
        self.assertEqual(document["model"], "attention")
        self.assertEqual(document["settings"]["scale"], "rank")
        self.assertEqual(document["settings"]["members"], 2)
        self.assertEqual(document["settings"]["epochs"], 4)


class StoredBags(MilTest):
    def test_cv_runs_them_as_model_and_as_baseline_with_the_same_scores(self):
        model = json.loads(self.expect(0, "mil", "cv", "d.csv", "--model", "stored-bags", "--folds", "folds.csv",
                                       "--baselines", "none", "--json", "-").stdout)
        self.assertEqual(model["model"], "stored_bags")
        low, high = model["auc_interval"]
        self.assertLessEqual(0, low)
        self.assertLessEqual(low, model["auc_mean"])
        self.assertLessEqual(model["auc_mean"], high)
        self.assertLessEqual(high, 1)
        beside = json.loads(self.cv("--folds", "folds.csv", "--baselines", "stored_bags", "--json", "-").stdout)
        self.assertEqual([b["model"] for b in beside["baselines"]], ["stored_bags"])
        self.assertEqual(beside["comparisons"][0]["baseline"], "stored_bags")
        self.assertEqual(without_times(json.dumps(beside["baselines"][0]["repetitions"])),
                         without_times(json.dumps(model["repetitions"])))
        self.assertIn("%", model["repetitions"][0]["folds"][0]["chosen"])

    def test_fit_predict_and_explain(self):
        fit = ["mil", "fit", "d.csv", "-o", "m.safetensors", "--model", "stored-bags"]
        self.expect(0, *fit, output=r"stored 24 bags; AUC [01]\.\d+ \(95 %: [01]\.\d+ to [01]\.\d+\), each bag scored by the others\n"
                                    r"similarities: .*%\nsaved m\.safetensors \(\d+ values\)")
        first = (self.folder / "m.safetensors").read_bytes()
        self.expect(0, *fit, "--force", "--seed", "3", "--embedding", "8")
        scores = self.predict()
        self.expect(0, *fit, "--force")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), first)
        self.assertEqual(self.predict(), scores)  # neither seed nor network options matter
        metadata, tensors = read_safetensors(self.folder / "m.safetensors")
        members = json.loads(metadata["description"])["stored_bags"]["members"]
        self.assertEqual(tensors["stored.values"][:2], ("F64", [len(members), 24]))
        self.expect(0, "mil", "explain", "m.safetensors", "d.csv", "--top", "0", "-o", "e.csv")
        total = {}
        for row in csv.DictReader(io.StringIO((self.folder / "e.csv").read_text())):
            total[row["bag_id"]] = total.get(row["bag_id"], 0) + float(row["weight"])
            self.assertTrue(math.isfinite(float(row["effect"])))
        self.assertEqual(list(total), [f"b{b}" for b in range(24)])
        for share in total.values():
            self.assertAlmostEqual(share, 1, places=9)
        self.expect(0, "mil", "explain", "m.safetensors", "d.csv", "--bags", "b3", output=r"effect: score less")
        self.expect(2, *fit, "--force", "--resume", error=r"keep no checkpoint")


class Mistakes(MilTest):
    def change(self, row, column, cell):
        rows = [list(r) for r in self.rows]
        rows[row][column] = cell
        self.write("bad.csv", csv_text(rows))

    def test_bad_data_is_named_by_place_and_leaves_no_file(self):
        def refuse(status, message, *options, data="bad.csv"):
            before = self.names()
            self.cv("--num-folds", "3", "--json", "r.json", "--report", "r.html", *options, data=data,
                    status=status, error=message)
            self.assertEqual(self.names(), before)

        self.change(2, 4, "NaN")
        refuse(3, r"line 3, column 'y'")
        self.change(2, 4, "")
        refuse(3, r"line 3, column 'y'")
        self.change(2, 2, "3")
        refuse(3, r"line 3, column 'label'.*whole bag")
        self.change(2, 2, "1")
        refuse(3, r"line 3, column 'label'.*whole bag")
        self.change(2, 0, "b5")
        refuse(3, r"'b0'.*left after line 2.*--sort-bags")
        refuse(1, r"none\.csv", data="none.csv")
        self.write("cut.csv.gz", gzip.compress(csv_text(self.rows).encode())[:-40])
        refuse(3, r"cut\.csv\.gz", data="cut.csv.gz")
        self.write("one.csv", csv_text([self.rows[0]] + [r[:2] + ["1"] + r[3:] for r in self.rows[1:]]))
        refuse(3, r"class", data="one.csv")
        self.write("constant.csv", csv_text([self.rows[0]] + [r[:3] + ["1", "1", "1"] for r in self.rows[1:]]))
        refuse(3, r"constant", data="constant.csv")
        before = self.names()
        self.cv("--json", "both", "--report", "both", status=2, error="no input and no other output, got 'both'")
        self.assertEqual(self.names(), before)

    def test_tables_of_spreadsheets_mean_the_same(self):
        text = csv_text(self.rows)
        options = ["--num-folds", "3", "--model", "stored-bags", "--baselines", "none", "--json", "-"]
        plain = without_times(self.cv(*options).stdout)
        quoted = "".join(";".join(f'"{cell}"' for cell in row) + "\r\n" for row in self.rows)
        for name, data in [("semicolons.csv", "\ufeff" + quoted), ("tabs.txt", text.replace(",", "\t"))]:
            self.write(name, data)
            same = without_times(self.cv(*options, data=name).stdout)
            self.assertEqual(same.pop("data")["features"], 3)
            self.assertEqual(same, {key: value for key, value in plain.items() if key != "data"})
        self.write("decimals.csv", text.replace(",", ";").replace(".", ","))
        self.cv(*options, data="decimals.csv", status=3, error=r"line 2, column 'x'.*decimals with a point")
        self.write("latin1.csv", text.replace("x", "Größe", 1).encode("latin-1"))
        self.cv(*options, data="latin1.csv", status=3, error=r"UTF-8, got other bytes in the name of column 4")
        self.write("frame.csv", csv_text([[""] + self.rows[0]] + [["0"] + row for row in self.rows[1:]]))
        self.cv(*options, data="frame.csv", status=3, error=r"index of a data frame")
        self.write("names.csv", text.replace("bag_id", "Slide ID", 1))
        self.cv(*options, data="names.csv", status=2, error=r"'Slide ID'.*--bag-column")

    def test_labels_that_make_no_sense_are_named(self):
        def with_labels(label_of):
            rows = [self.rows[0]] + [row[:2] + [label_of(row[0])] + row[3:] for row in self.rows[1:]]
            return self.write("labels.csv", csv_text(rows))

        with_labels(lambda bag: "NaN" if bag == "b2" else bag[1:] + ".5")
        self.cv(data="labels.csv", status=3, error=r"column 'label'.*expected a label, got 'NaN'")
        with_labels(lambda bag: "3.5")
        for command in (["cv"], ["fit", "-o", "m.safetensors"]):
            self.expect(3, "mil", *command, "labels.csv", error=r"different labels in labels\.csv, got equal ones")
        with_labels(lambda bag: "rare" if bag in ("b1", "b2") else "normal")
        self.cv("--num-folds", "3", data="labels.csv", status=3, error=r"got 2 with label rare; leave out the class")
        with_labels(lambda bag: "tumour" if int(bag[1:]) % 2 else "normal")
        self.cv("--num-folds", "3", "--baselines", "none", data="labels.csv", error=r"of which tumour is positive",
                output=r"seed 0, 3 folds\n")

    def test_bags_apart_can_be_gathered(self):
        rows = [self.rows[0]] + sorted(self.rows[1:], key=lambda r: r[1])
        self.write("bad.csv", csv_text(rows))
        self.cv("--num-folds", "3", data="bad.csv", status=3, error=r"--sort-bags")
        gathered = self.cv("--num-folds", "3", "--sort-bags", "--json", "-", "--baselines", "none", data="bad.csv")
        plain = self.cv("--num-folds", "3", "--json", "-", "--baselines", "none")
        self.assertEqual(json.loads(gathered.stdout)["data"]["instances"],
                         json.loads(plain.stdout)["data"]["instances"])

    def test_bad_folds_are_named(self):
        def refuse(message, old, new, status=3, *options):
            self.write("f.csv", folds_text().replace(old, new))
            self.cv("--folds", "f.csv", *options, status=status, error=message)

        row_of_b7 = next(line for line in folds_text().splitlines() if line.startswith("b7,"))
        refuse(r"none for bag 'b7'", row_of_b7 + "\n", "")
        refuse(r"'b99'", "b7,", "b99,")
        refuse(r"again", "b7,", "b6,")
        self.cv("--folds", "folds.csv", "--repetitions", "r0,skl9", status=2, error=r"'skl9'")
        self.cv("--repetitions", "r0", status=2, error=r"--folds")
        lines = folds_text().splitlines()
        one_class = [lines[0]] + [",".join(line.split(",")[:2] + [str(b % 2 + b // 12), "0"])
                                  for b, line in enumerate(lines[1:])]
        self.write("f.csv", "\n".join(one_class) + "\n")
        self.cv("--folds", "f.csv", "--repetitions", "r0", status=3, error=r"both classes.*fold \d of 'r0'")

    def test_bad_options_are_usage_errors(self):
        for options, message in [
            (["--beta", "-1"], r"beta >= 0, got -1"),
            (["--beta", "1,2,3"], r"one beta"),
            (["--scale", "log"], r"none, z, zclip, rank, thermometer, got 'log'"),
            (["--model", "median"], r"got 'median'"),
            (["--baselines", "svm"], r"got 'svm'"),
            (["--epochs", "0"], r"epochs"),
            (["--learning-rate", "0"], r"learning rate"),
            (["--bag-dropout", "1"], r"bag dropout"),
            (["--num-folds", "2"], r"num-folds"),
            (["--features", "x,nix"], r"nix"),
            (["--bag-column", "bag"], r"'bag'"),
            (["--label-column", "lable"], r"'lable'"),
            (["--json", "d.csv"], r"no input"),
            (["--batchsize", "3"], r"--batch-size"),
        ]:
            with self.subTest(options):
                self.expect(2, "mil", "cv", "d.csv", *options, error=message)

    def test_unwritable_outputs_fail(self):
        self.cv("--json", "no/such/folder/r.json", status=1, error=r"no/such/folder")
        if os.path.exists("/dev/full"):
            self.cv("--num-folds", "3", "--baselines", "none", "--json", "/dev/full", status=1, error=r"/dev/full")


class FitPredictExplain(MilTest):
    def test_model_predicts_and_explains(self):
        result = self.fit(epochs=40)
        self.assertRegex(result.stdout, r"trained on 18 bags; AUC [01]\.\d+ \(95 %: [01]\.\d+ to [01]\.\d+\) on 6 validation bags")
        self.assertEqual(self.names(), ["d.csv", "folds.csv", "m.safetensors"])
        metadata, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(metadata["format"], "hopfield.mil-model")
        self.assertEqual(json.loads(metadata["description"])["feature_names"], ["x", "y", "z"])
        self.assertIn("member0.pooling.pooling_weights", tensors)
        scores = self.predict()
        self.assertEqual(list(scores), [f"b{b}" for b in range(24)])
        self.expect(0, "mil", "predict", "m.safetensors", "d.csv", "-o", "p.csv", "--json", "p.json")
        document = json.loads((self.folder / "p.json").read_text())
        for row in document["bags"]:
            self.assertEqual(row["score"], scores[row["bag_id"]])
            self.assertAlmostEqual(row["probability"], 1 / (1 + math.exp(-row["score"])), places=12)
        self.expect(0, "mil", "explain", "m.safetensors", "d.csv", "--top", "0", "-o", "e.csv", "--json", "e.json")
        weights = {}
        for row in csv.DictReader(io.StringIO((self.folder / "e.csv").read_text())):
            weights.setdefault(row["bag_id"], []).append(float(row["weight"]))
            columns = [float(v) for k, v in row.items() if k.startswith("weight_")]
            self.assertAlmostEqual(float(row["weight"]), sum(columns) / 2, places=9)
        for bag, column in weights.items():
            self.assertAlmostEqual(sum(column), 1, places=5)
            self.assertEqual(column, sorted(column, reverse=True))
        self.assertEqual(json.loads((self.folder / "e.json").read_text())["bags"][3]["score"], scores["b3"])
        text = self.expect(0, "mil", "explain", "m.safetensors", "d.csv", "--bags", "b3,b4", "--top", "1").stdout
        self.assertRegex(text, r"b3 +1 .*\n.*b4 +0 ")
        self.expect(2, "mil", "explain", "m.safetensors", "d.csv", "--bags", "b99", error=r"'b99'")

    def test_features_are_found_by_name(self):
        self.fit()
        scores = self.predict()
        rows = [[r[0], r[5], "11", r[4], r[3]] for r in self.rows[1:]]
        self.write("other.csv", csv_text([["bag_id", "z", "more", "y", "x"]] + rows))
        self.assertEqual(self.predict(data="other.csv"), scores)
        self.write("less.csv", csv_text([["bag_id", "z", "y"]] + [[r[0], r[5], r[4]] for r in self.rows[1:]]))
        self.expect(2, "mil", "predict", "m.safetensors", "less.csv", error=r"'x'")
        self.expect(2, "mil", "predict", "m.safetensors", "d.csv", "--features", "x,y",
                    error=r"3 features.*got 2")
        self.write_npy("v.npy", [1.0] * 8, [4, 2])
        self.write_npy("o.npy", [0, 4], [2], "<i8")
        self.expect(2, "mil", "predict", "m.safetensors", "v.npy", "--offsets", "o.npy",
                    error=r"3 features.*got 2")

    def test_new_bags_need_no_labels(self):
        self.fit()
        scores = self.predict()
        for label in ("", "unknown"):
            self.write("new.csv", csv_text([self.rows[0]] + [r[:2] + [label] + r[3:] for r in self.rows[1:]]))
            self.expect(3, "mil", "predict", "m.safetensors", "new.csv", error=r"line 2, column 'label'.*--ignore")
            self.assertEqual(self.predict("--ignore", "label", data="new.csv"), scores)

    def test_effects_of_large_bags_need_a_model_that_weighs(self):
        self.fit("--model", "mean_max")
        rows = [["b", str(i), "0"] + self.rows[1][3:] for i in range(4097)]
        self.write("large.csv", csv_text([self.rows[0]] + rows))
        self.expect(1, "mil", "explain", "m.safetensors", "large.csv", error=r"at most 4096 instances.*got 4097")

    def test_same_seed_same_file(self):
        self.fit()
        first = (self.folder / "m.safetensors").read_bytes()
        self.fit("--seed", "8", status=1, error=r"'m.safetensors': the file exists; give --force to replace it")
        self.fit("--force")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), first)
        self.fit("--seed", "8", "--force")
        self.assertNotEqual((self.folder / "m.safetensors").read_bytes(), first)

    def test_damaged_models_are_bad_data(self):
        self.fit()
        good = (self.folder / "m.safetensors").read_bytes()
        self.write("cut", good[: len(good) // 2])
        self.expect(3, "mil", "predict", "cut", "d.csv", error=r"cut")
        self.expect(3, "mil", "predict", "d.csv", "d.csv", error=r"d\.csv")
        self.expect(1, "mil", "predict", "none", "d.csv", error=r"none")
        self.expect(2, "mil", "predict", "m.safetensors", "d.csv", "-o", "m.safetensors", error=r"no input")

    def test_examples_of_the_help_run_as_written(self):
        (self.folder / "examples").mkdir()
        self.write("examples/mil.csv", (ROOT / "examples" / "mil.csv").read_bytes())
        for command in ("cv", "fit", "predict", "explain"):
            text = self.expect(0, "mil", command, "--help").stdout
            for line in text.splitlines():
                self.assertLessEqual(len(line), 100, line)
            for example in self.examples_of("mil", command):
                self.succeed(*example)

    def test_models_of_format_version_1_still_load(self):
        # Written by hopfield at commit 8458885: mil fit examples/mil.csv -o model_v1.safetensors
        # --embedding 4 --heads 2 --head-size 2 --beta 0,1 --hidden 0 --levels 2 --epochs 3 --seed 1
        self.write("m.safetensors", (pathlib.Path(__file__).parent / "mil_model_v1.safetensors").read_bytes())
        metadata, _ = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(metadata["version"], "1")
        scores = self.predict(data=str(ROOT / "examples" / "mil.csv"))
        for bag, score in [("b001", -0.05038255825638771), ("b002", -0.3701661229133606),
                           ("b003", -0.2234489619731903), ("b004", -0.3348660469055176)]:
            self.assertAlmostEqual(scores[bag], score, places=6)  # f32 sums, other instruction sets


class OtherLabels(MilTest):
    def setUp(self):
        super().setUp()
        self.classes = [self.rows[0]]
        self.numbers = [self.rows[0]]
        for row in self.rows[1:]:
            bag = int(row[0][1:])
            shift = 4 if row[1] == "1" else 0
            x = [round(float(cell) + (shift if f == bag % 3 else 0), 3) for f, cell in enumerate(row[3:])]
            cells = [str(value) for value in x]
            self.classes.append(row[:2] + [("ant", "bee", "cat")[bag % 3]] + cells)
            self.numbers.append(row[:2] + [str(bag + 0.5)] + cells)
        self.write("classes.csv", csv_text(self.classes))
        self.write("numbers.csv", csv_text(self.numbers))

    def test_classes_are_found_and_used_in_all_commands(self):
        result = self.cv("--num-folds", "3", "--json", "r.json", "--report", "r.html", "--baselines", "stored_bags",
                         data="classes.csv", error=r"labels are taken as 3 classes: ant, bee, cat;.*--target")
        for text in ("macro AUC", "balanced accuracy", "predicted bee"):
            self.assertIn(text, result.stdout)
        document = json.loads((self.folder / "r.json").read_text())
        self.assertEqual((document["target"], document["classes"]), ("classes", ["ant", "bee", "cat"]))
        self.assertEqual(sum(document["confusion"]), 24)
        for model in ("hopfield", "stored-bags"):
            self.expect(0, "mil", "fit", "classes.csv", "-o", "m.safetensors", "--model", model, "--force",
                        "--num-folds", "3", "--epochs", "4", *QUICK, "--class-weights", "balanced",
                        "--target", "classes")
            text = self.expect(0, "mil", "predict", "m.safetensors", "classes.csv").stdout
            for row in csv.DictReader(io.StringIO(text)):
                scores = {name: float(row["score_" + name]) for name in ("ant", "bee", "cat")}
                self.assertEqual(row["predicted"], max(scores, key=scores.get))
                total = sum(math.exp(score) for score in scores.values())
                self.assertAlmostEqual(float(row["probability"]), math.exp(scores[row["predicted"]]) / total, places=9)
            text = self.expect(0, "mil", "explain", "m.safetensors", "classes.csv", "--class", "cat", "-o", "-").stdout
            self.assertEqual({row["class"] for row in csv.DictReader(io.StringIO(text))}, {"cat"})
        self.expect(2, "mil", "explain", "m.safetensors", "classes.csv", "--class", "dog", error=r"ant, bee, cat, got 'dog'")
        self.expect(3, "mil", "predict", "m.safetensors", "numbers.csv", error=r"a label of the model")

    def test_numbers_are_found_and_used_in_all_commands(self):
        result = self.cv("--num-folds", "3", "--json", "r.json", "--report", "r.html", "--baselines", "stored_bags",
                         data="numbers.csv", error=r"labels are taken as numbers")
        for text in ("R2", "RMSE", "Spearman"):
            self.assertIn(text, result.stdout)
        document = json.loads((self.folder / "r.json").read_text())
        self.assertEqual(document["target"], "regression")
        self.assertEqual(set(document["figures"]), {"rmse", "mae", "spearman"})
        self.assertNotIn("auc_mean", document)
        for model in ("hopfield", "stored-bags"):
            self.expect(0, "mil", "fit", "numbers.csv", "-o", "m.safetensors", "--model", model, "--force",
                        "--num-folds", "3", "--epochs", "4", *QUICK, "--target", "regression", output=r"R2")
            text = self.expect(0, "mil", "predict", "m.safetensors", "numbers.csv").stdout
            self.assertTrue(text.startswith("bag_id,score,label\n"))
            for score in self.predict(data="numbers.csv").values():
                self.assertTrue(-30 < score < 54, score)  # in the unit of the labels, 0.5 to 23.5
        self.cv("--num-folds", "3", "--class-weights", "balanced", data="numbers.csv", status=2, error=r"regression")

    def test_what_the_user_says_counts(self):
        self.cv("--target", "binary", data="numbers.csv", status=3, error=r"line 2, column 'label'.*0 or 1.*'0\.5'")
        self.cv("--target", "regression", data="classes.csv", status=3, error=r"line 2.*a number to estimate, got 'ant'")
        result = self.cv("--num-folds", "3", "--target", "regression", "--baselines", "none", data="d.csv")
        self.assertIn("R2", result.stdout)
        self.assertEqual(result.stderr, "")
        self.cv("--class-weights", "1,2", "--num-folds", "3", data="classes.csv", status=2, error=r"3 classes, got 2")
        self.cv("--class-weights", "1,x", data="classes.csv", status=2, error=r"--class-weights")


class Estimates(MilTest):
    def test_estimates_say_time_and_memory_and_write_nothing(self):
        before = self.names()
        wanted = r"^estimate: at most about [\d.]+ \S+.* and 0\.\d\d GiB .*\n$"
        for model in ("hopfield", "stored-bags"):
            self.cv("--num-folds", "3", "--model", model, "--estimate", "--json", "r.json", output=wanted)
            self.expect(0, "mil", "fit", "d.csv", "-o", "e.safetensors", "--num-folds", "4", "--model", model,
                        "--estimate", output=wanted)
        self.assertEqual(self.names(), before)
        self.cv("--estimate", "--num-folds", "20", status=3, error=r"bags of each class")

    def test_long_runs_say_so_before_they_start(self):
        # Each epoch counts in the estimate, so a great many make a long run; patience ends it at once.
        many = 1000000
        word = r"^hopfield: %s: at most about .* and 0\.\d\d GiB beside the program's own memory\n$"
        self.fit("--patience", 1, epochs=many, error=word % "training")
        self.expect(0, "mil", "cv", "d.csv", *QUICK, "--epochs", many, "--patience", 1, "--num-folds", 3, "--baselines", "none",
                    error=word % "cross-validation")
        self.cv("--num-folds", "3", "--model", "stored-bags", "--baselines", "none")


class Places(MilTest):
    def test_coordinates_are_no_features_and_make_heat_maps(self):
        rows = [self.rows[0] + ["px", "py"]]
        rows += [row + [str(512 * (i % 7)), str(256 * (i // 7))] for i, row in enumerate(self.rows[1:])]
        rows = [[row[0].replace("b3", "b/3")] + row[1:] for row in rows]
        self.write("places.csv", csv_text(rows))
        self.fit()
        plain = (self.folder / "m.safetensors").read_bytes()
        self.fit("--coords", "px,py", "--force", data="places.csv")
        _, tensors = read_safetensors(self.folder / "m.safetensors")
        self.write("plain.safetensors", plain)
        self.assertEqual(tensors, read_safetensors(self.folder / "plain.safetensors")[1])
        for bags in (["--bags", "b/3,b4"], []):
            self.expect(0, "mil", "explain", "m.safetensors", "places.csv", "--coords", "px,py", "-o", "e.csv",
                        "--top", "0", "--heat-maps", "maps", "--json", "e.json", *bags)
            if bags:
                self.assertEqual(sorted(os.listdir(self.folder / "maps")), ["b4.svg", "b_3.svg"])
        self.assertEqual(len(os.listdir(self.folder / "maps")), 24)
        self.assertIn("b/3, score", (self.folder / "maps" / "b_3.svg").read_text())
        table = list(csv.DictReader(io.StringIO((self.folder / "e.csv").read_text())))
        places = {(row[0], row[1]): (float(row[6]), float(row[7])) for row in rows[1:]}
        for row in table:
            self.assertEqual((float(row["px"]), float(row["py"])), places[row["bag_id"], row["instance_id"]])
        self.assertEqual(len(table), len(rows) - 1)
        first = json.loads((self.folder / "e.json").read_text())["bags"][3]
        self.assertEqual(first["bag_id"], "b/3")
        self.assertEqual(tuple(first["instances"][0]["coordinates"]),
                         places["b/3", first["instances"][0]["instance_id"]])

    def test_coordinates_of_npy_files_and_mistakes(self):
        self.fit()
        values = [float(cell) for row in self.rows[1:] for cell in row[3:]]
        n = len(self.rows) - 1
        self.write_npy("v.npy", values, [n, 3])
        self.write_npy("o.npy", [0, n], [2], "<i8")
        self.write_npy("c.npy", list(range(2 * n)), [n, 2])
        explain = ["mil", "explain", "m.safetensors", "v.npy", "--offsets", "o.npy", "--heat-maps", "maps", "-o", "-"]
        text = self.expect(0, *explain, "--coords", "c.npy").stdout
        self.assertTrue(text.startswith("bag_id,instance_id,x,y,rank"))
        self.assertEqual(os.listdir(self.folder / "maps"), ["1.svg"])
        self.expect(2, *explain, error=r"--coords")
        self.write_npy("c.npy", list(range(n)), [n, 1])
        self.expect(3, *explain, "--coords", "c.npy", error=r"coordinates of shape")
        self.expect(2, "mil", "explain", "m.safetensors", "d.csv", "--coords", "x", error=r"two columns")


class Hdf5(MilTest):
    def test_what_is_no_hdf5_file_is_refused_with_or_without_the_library(self):
        self.write("v.h5", "not at all")
        result = self.run_program("mil", "cv", "v.h5")
        self.assertRegex(result.stderr, r"expected an HDF5 file|build with HDF5.*libhdf5-dev")
        self.assertEqual(result.returncode, 3 if "expected an HDF5 file" in result.stderr else 1)
        self.expect(2, "mil", "cv", "v.h5", "--offsets", "o.npy", error=r"--offsets")


    def test_hdf5_gives_the_same_as_csv(self):
        # The rows of toy_rows(), written with h5py 3.16 by create_dataset: features f4 (gzip), offsets i8, labels i8,
        # coords f8 (instance number, 0).
        self.write("toy.h5", (pathlib.Path(__file__).parent / "mil_toy.h5").read_bytes())
        options = ["--num-folds", "3", "--json", "-", "--baselines", "none"]
        result = self.run_program("mil", "cv", "toy.h5", *QUICK, "--epochs", "4", *options)
        if "build with HDF5" in result.stderr:
            self.skipTest("built without HDF5")
        self.assertEqual(result.returncode, 0, result.stderr)
        hdf5, text = without_times(result.stdout), without_times(self.cv(*options).stdout)
        hdf5.pop("data"), text.pop("data")
        self.assertEqual(hdf5, text)
        self.expect(0, "mil", "fit", "toy.h5", "-o", "m.safetensors", "--num-folds", "4", *QUICK, "--epochs", "4")
        rows = self.expect(0, "mil", "explain", "m.safetensors", "toy.h5", "-o", "-", "--top", "1").stdout
        self.assertTrue(rows.startswith("bag_id,instance_id,x,y,rank"))
        data = (self.folder / "toy.h5").read_bytes()
        for length in range(0, len(data), 997):
            self.write("cut.h5", data[:length])
            self.expect(3, "mil", "predict", "m.safetensors", "cut.h5", error=r"cut\.h5")


class Interrupts(MilTest):
    LONG = ["--epochs", "1200", "--patience", "0"]

    def interrupt(self, *arguments):
        """Starts the program with a terminal as standard error, sends SIGINT once the first progress shows."""
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=other_end)
        os.close(other_end)
        shown, sent, deadline = b"", False, time.monotonic() + 120
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the other end is closed: the program has ended
                break
            if not piece:
                break
            shown += piece
            if b"/" in shown and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
        os.close(terminal)
        process.stdout.close()
        self.assertTrue(sent, shown)
        self.assertEqual(process.wait(60), 130, shown)
        return shown.decode(errors="replace")

    def test_cv_leaves_nothing(self):
        before = self.names()
        shown = self.interrupt("mil", "cv", "d.csv", "--num-folds", "4", "--json", "r.json", "--report", "r.html",
                               *QUICK, *self.LONG)
        self.assertIn("nothing was written", shown)
        self.assertEqual(self.names(), before)

    def test_predict_and_explain_write_nothing(self):
        self.fit("--model", "stored-bags")
        os.mkfifo(self.folder / "pipe.csv")  # the program waits here until the signal was sent
        for command in ("predict", "explain"):
            process = subprocess.Popen([PROGRAM, "mil", command, "m.safetensors", "pipe.csv", "-o", "out.csv"], cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with open(self.folder / "pipe.csv", "w") as pipe:
                wait_until_it_handles(process, signal.SIGINT)
                process.send_signal(signal.SIGINT)
                pipe.write(csv_text(self.rows))
            output, error = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, error)
            self.assertIn("nothing was written", error)
            self.assertEqual(output, "")
            self.assertNotIn("out.csv", self.names())

    def test_fit_leaves_a_checkpoint_that_can_be_resumed_to_the_same_bits(self):
        options = ["mil", "fit", "d.csv", "-o", "m.safetensors", "--num-folds", "4", *QUICK, *self.LONG]
        shown = self.interrupt(*options)
        self.assertIn("--resume", shown)
        self.assertEqual(self.names(), ["d.csv", "folds.csv", "m.safetensors.checkpoint"])
        self.expect(2, *options, "--resume", "--seed", "4", error=r"same seed")
        self.succeed(*options, "--resume")
        self.assertEqual(self.names(), ["d.csv", "folds.csv", "m.safetensors"])
        resumed = (self.folder / "m.safetensors").read_bytes()
        self.succeed(*options, "--force")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), resumed)
        self.expect(1, *options, "--force", "--resume", error=r"m\.safetensors\.checkpoint")


if __name__ == "__main__":
    unittest.main()
