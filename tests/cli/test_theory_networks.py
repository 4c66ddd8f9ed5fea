"""hopfield theory energy, fixed-points, capacity, retrieval-error, simulate: what they compute, what they write,
and how they fail."""

import csv
import json
import math
import signal
import subprocess
import unittest

from support import PROGRAM, ProgramTest, wait_until_it_handles

COMMANDS = ("energy", "fixed-points", "basins", "capacity", "retrieval-error", "simulate")


class TheoryTest(ProgramTest):
    def theory(self, *arguments, status=0, **more):
        return self.expect(status, "theory", *arguments, **more)

    def theory_json(self, *arguments):
        return json.loads(self.theory(*arguments, "--json").stdout)

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))


class Common(TheoryTest):
    def test_examples_of_the_help_run(self):
        for command in COMMANDS:
            for example in self.examples_of("theory", command):
                with self.subTest(example):
                    self.expect(0, *example)

    def test_help_names_ranges_and_fits_a_terminal(self):
        for command in COMMANDS:
            text = self.theory(command, "--help").stdout
            self.assertIn("--seed", text)
            body = text.split("Example")[0]
            self.assertLessEqual(max(len(line) for line in body.splitlines()[2:]), 100)

    def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(self):
        for arguments in (["simulate", "--n", "200", "--load", "0.1"],
                          ["capacity", "--n", "40", "--trials", "9"],
                          ["retrieval-error", "--trials", "3", "--n", "8", "--depth", "16"],
                          ["fixed-points", "--num-betas", "4"],
                          ["basins", "--beta", "9"],
                          ["simulate", "--n", "100", "--sweep", "load=0.1,0.2"],
                          ["energy", "--side", "21"]):
            with self.subTest(arguments):
                outputs = {self.theory(*arguments, "--json", "--threads", threads, "--seed", "5").stdout
                           for threads in (1, 2, 5)}
                self.assertEqual(len(outputs), 1)
                other = self.theory(*arguments, "--json", "--seed", "6").stdout
                self.assertNotEqual({other}, outputs)

    def test_pictures_and_pages_are_written(self):
        for command, arguments in (("energy", ["--side", "21"]), ("energy", ["--depth", "3", "--side", "21"]),
                                   ("energy", ["--network", "dense", "--n", "30"]),
                                   ("fixed-points", ["--num-betas", "4"]),
                                   ("basins", ["--beta", "5,9"]),
                                   ("simulate", ["--n", "100", "--sweep", "load=0.05:0.2:3"]),
                                   ("capacity", ["--n", "20,30", "--trials", "7"]),
                                   ("retrieval-error", ["--trials", "1", "--n", "8"])):
            with self.subTest(command):
                self.theory(command, *arguments, "--report", "r.html", "--svg", "p.svg", "--csv", "t.csv",
                            "--json=j.json")
                page = (self.folder / "r.html").read_text()
                self.assertTrue(page.startswith("<!DOCTYPE html>"), page[:60])
                self.assertIn("<svg", page)
                self.assertIn("<svg", (self.folder / "p.svg").read_text())
                self.assertGreater(len(self.rows("t.csv")), 0)
                self.assertIn("seed", json.loads((self.folder / "j.json").read_text()))

    def test_mistakes_are_named(self):
        self.write_npy("flat.npy", [1.0, 2.0], [2])
        self.write_npy("nan.npy", [1.0, math.nan], [1, 2])
        self.write_npy("p.npy", [1.0, 2.0, 3.0, 4.0], [2, 2])
        before = self.names()
        for arguments, status, message in [
            (["simulate", "--network", "boltzmann"], 2, "--network: boltzmann not in"),
            (["simulate", "--load", "-1"], 2, "--load: expected a number from 0 to"),
            (["simulate", "--temperature", "nan"], 2, "--temperature: expected a number from 0"),
            (["simulate", "--network", "exponential", "--n", "100", "--load", "1"], 2, "at most 1e9 patterns"),
            (["simulate", "--dilution", "0.5"], 2, "for the multitasking network only"),
            (["simulate", "--discard", "50", "--temperature", "1"], 2, "expected 0 <= discard < sweeps"),
            (["simulate", "--load", "0.1", "--patterns", "3"], 2, "excludes"),
            (["simulate", "--dilution", "1.5"], 2, "--dilution: expected a number from 0 to 1"),
            (["simulate", "--network", "multitask", "--dilution", "nan"], 2, "--dilution: expected a number from 0"),
            (["simulate", "--network", "multitask", "--quality", "0"], 2, "--quality: expected a number"),
            (["simulate", "--network", "continuous", "--beta", "0"], 2, "--beta: expected a number"),
            (["simulate", "--network", "continuous", "--beta", "inf"], 2, "--beta: expected a number"),
            (["simulate", "--network", "dense", "--power", "1"], 2, "--power: expected a whole number"),
            (["simulate", "--sweep", "load"], 2, "expected NAME=FIRST:LAST:COUNT or NAME=VALUE"),
            (["simulate", "--sweep", "colour=1,2"], 2, "expected one of beta, .*, got 'colour'"),
            (["simulate", "--sweep", "load=0.1,x"], 2, "expected finite numbers, got 'x'"),
            (["simulate", "--sweep", "load=0.1:nan:3"], 2, "expected finite numbers, got 'nan'"),
            (["simulate", "--sweep", "load=0.1:0.2:1"], 2, "expected 2 to 10000 values, got 1"),
            (["simulate", "--sweep", "load=-0.1:0.2:3"], 2, "expected a load >= 0"),
            (["simulate", "--sweep", "n=10.5,20"], 2, "expected whole numbers"),
            (["simulate", "--network", "multitask", "--patterns", "2", "--sweep", "dilution=0.5,2"], 2,
             "expected a dilution"),
            (["simulate", "--network", "continuous", "--sweep", "beta=0,1"], 2, "expected a beta > 0"),
            (["simulate", "--patterns", "5", "--sweep", "load=0.1,0.2"], 2, "expected no --patterns"),
            (["simulate", "--svg", "s.svg"], 2, "expected --sweep with --svg"),
            (["basins", "--pattern", "8"], 2, "expected a pattern below 8, got 8"),
            (["basins", "--group", "1,1"], 2, "expected different patterns, got 1 twice"),
            (["basins", "--group", "9"], 2, "expected a pattern from 0 to 7, got 9"),
            (["basins", "--beta", "-1"], 2, "expected numbers > 0"),
            (["basins", "--group", "1", "--pattern", "1"], 2, "excludes"),
            (["capacity", "--n", "10,x"], 2, "expected numbers > 0, separated by commas"),
            (["capacity", "--n", "10.5"], 2, "expected whole numbers from 2"),
            (["capacity", "--trials", "3"], 2, "expected more trials for this confidence, got 3"),
            (["capacity", "--network", "continuous", "--n", "100", "--k", "9"], 2, "beyond which no double"),
            (["capacity", "--csv", "no/folder/x.csv"], 1, "the folder 'no/folder/' does not exist"),
            (["retrieval-error", "--beta", "0"], 2, "expected numbers > 0"),
            (["retrieval-error", "--patterns", "missing.npy"], 1, "missing.npy.*no such file"),
            (["fixed-points", "--patterns", "flat.npy"], 3, "expected numbers of shape .rows, depth., got 1 dim"),
            (["fixed-points", "--patterns", "nan.npy"], 3, "row 0, column 1 .*expected a finite number"),
            (["fixed-points", "--draw", "orthonormal", "--n", "9", "--depth", "8"], 2, "at most as many orthonormal"),
            (["fixed-points", "--patterns", "p.npy", "--json=p.npy"], 2, "expected an output that is no input"),
            (["energy", "--beta", "-1"], 2, "--beta: expected a number"),
            (["energy", "--network", "classical", "--patterns", "p.npy"], 2, "for the continuous network only"),
        ]:
            with self.subTest(arguments):
                self.theory(*arguments, status=status, error="hopfield: error: .*" + message)
                self.assertEqual(self.names(), before)

    def test_an_interrupt_ends_the_work_and_writes_nothing(self):
        process = subprocess.Popen(
            [PROGRAM, "theory", "simulate", "--n", "2000", "--load", "0.1", "--replicas", "1000000", "--csv", "x.csv"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_handles(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, out + err)
        self.assertIn("interrupted", err)
        self.assertEqual(self.names(), [])


class Simulate(TheoryTest):
    def test_classical_overlap_and_error(self):
        answer = self.theory_json("simulate", "--n", "1000", "--load", "0.1", "--replicas", "20")
        self.assertEqual((answer["kind"], answer["num_patterns"], answer["seed"]), ("hebbian", 100, 0))
        seen = answer["observables"]
        # Q(sqrt(1000/99)) = 0.00074; 20,000 spins leave a standard error of 0.0002. Overlap 0.998(2).
        error = math.erfc(math.sqrt(1000 / 99 / 2)) / 2
        self.assertAlmostEqual(seen["one_step_error"]["mean"], error, delta=0.0008)
        self.assertAlmostEqual(seen["overlap"]["mean"], 0.998, delta=0.004)
        self.assertGreater(seen["overlap"]["standard_error"], 0)
        self.assertLessEqual(seen["energy_rise"]["mean"], 1e-9)

    def test_multitask_overlaps_are_hierarchical(self):
        seen = self.theory_json("simulate", "--network", "multitask", "--n", "4000", "--patterns", "2",
                                "--dilution", "0.5", "--temperature", "0.1", "--replicas", "4")["observables"]
        self.assertAlmostEqual(seen["overlap_1"]["mean"], 0.498, delta=0.02)
        self.assertAlmostEqual(seen["overlap_2"]["mean"], 0.248, delta=0.02)

    def test_continuous_network_retrieves(self):
        seen = self.theory_json("simulate", "--network", "continuous", "--n", "32", "--patterns", "100",
                                "--distance", "1")["observables"]
        self.assertLess(seen["error"]["mean"], 1e-3)
        self.assertEqual(seen["converged"]["mean"], 1)
        self.assertLessEqual(seen["balance"]["mean"], 1e-11)

    def test_csv_says_what_json_says(self):
        answer = self.theory_json("simulate", "--n", "100", "--patterns", "5", "--csv", "s.csv")
        for row in self.rows("s.csv"):
            self.assertEqual(float(row["mean"]), answer["observables"][row["observable"]]["mean"])


    def test_theory_stands_beside_the_means(self):
        seen = self.theory_json("simulate", "--network", "multitask", "--n", "4000", "--patterns", "3",
                                "--dilution", "0.3", "--temperature", "0.05", "--replicas", "4")["observables"]
        for name, theory in (("overlap_1", 0.700), ("overlap_2", 0.210), ("overlap_3", 0.046)):
            self.assertAlmostEqual(seen[name]["theory"], theory, delta=1e-3)
            self.assertAlmostEqual(seen[name]["mean"], theory, delta=0.02)
            z = (seen[name]["mean"] - seen[name]["theory"]) / seen[name]["standard_error"]
            self.assertAlmostEqual(seen[name]["z"], z, delta=1e-9 * abs(z))
        dense = self.theory_json("simulate", "--network", "dense", "--terms", "distinct", "--power", "4", "--n", "48",
                                 "--load", "0.1", "--temperature", "0.3", "--sweeps", "20")
        gamma = dense["num_patterns"] * 12 / 48**3    # K = (2 gamma / 4!) N^3
        rs = self.theory_json("dense", "--p", "4", "--gamma", gamma, "--temperature", "0.3")
        self.assertAlmostEqual(dense["observables"]["overlap"]["theory"], rs["m"], delta=1e-12)
        other = self.theory_json("simulate", "--rule", "storkey", "--n", "50", "--load", "0.1")["observables"]
        self.assertIsNone(other["overlap"]["theory"])
        self.assertIsNone(other["overlap"]["z"])

    def test_sweep_repeats_the_single_runs(self):
        swept = self.theory_json("simulate", "--n", "200", "--sweep", "load=0.05:0.15:3", "--csv", "s.csv")
        self.assertEqual([p["num_patterns"] for p in swept["points"]], [10, 20, 30])
        single = self.theory_json("simulate", "--n", "200", "--load", "0.1")
        self.assertEqual(swept["points"][1]["observables"], single["observables"])
        rows = self.rows("s.csv")
        self.assertEqual(len(rows), 3 * 6)
        self.assertEqual({float(row["load"]) for row in rows}, {0.05, 0.1, 0.15})
        named = self.theory_json("simulate", "--n", "200", "--load", "0.1", "--sweep", "temperature=0.2,0.4")
        self.assertEqual([p["temperature"] for p in named["points"]], [0.2, 0.4])


class Basins(TheoryTest):
    def test_orthonormal_patterns_have_the_exact_radii(self):
        answer = self.theory_json("basins", "--beta", "5,7,12", "--csv", "b.csv")
        five, seven, twelve = answer["betas"]
        for row, rival, mean in ((five, 0.681118, 0.663376), (seven, math.sqrt(0.5), 0.886978),
                                 (twelve, math.sqrt(0.5), math.sqrt(7 / 8))):
            self.assertAlmostEqual(row["towards_rival"], rival, delta=2e-6)
            self.assertAlmostEqual(row["towards_mean"], mean, delta=2e-6)
            self.assertTrue(row["holds"])
        self.assertEqual((five["certified_master"], five["certified_sharp"]), (0, 0))
        self.assertAlmostEqual(twelve["certified_master"], 1 / (12 * 8), delta=1e-15)
        self.assertAlmostEqual(twelve["certified_sharp"], 1 / 24, delta=1e-15)
        self.assertGreater(twelve["random_smallest"], twelve["certified_sharp"])
        self.assertEqual([float(row["towards rival"]) for row in self.rows("b.csv")],
                         [row["towards_rival"] for row in answer["betas"]])

    def test_a_group_is_certified_by_lemma_a12(self):
        # Two patterns near (4, 0), one far away.
        self.write_npy("p.npy", [4.0, 0.1, 4.0, -0.1, -1.0, 0.0], [3, 2], "<f8")
        answer = self.theory_json("basins", "--patterns", "p.npy", "--group", "0,1", "--beta", "10,200")
        sure, late = answer["betas"]
        self.assertTrue(sure["certified"])
        self.assertAlmostEqual(sure["m_max"], 0.1, delta=1e-12)
        self.assertAlmostEqual(sure["separation"], 20, delta=1e-12)
        self.assertAlmostEqual(sure["certified_radius"], 1, delta=1e-12)
        self.assertLessEqual(sure["fixed_point_distance"], 1)
        self.assertGreaterEqual(min(sure["towards_rival"], sure["random_smallest"]), 1)
        self.assertFalse(late["certified"])   # beta m_max^2 = 2
        self.assertIsNone(late["separation_needed"])


class Capacity(TheoryTest):
    def test_formulas_stand_beside_the_measured_medians(self):
        answer = self.theory_json("capacity", "--n", "100,200", "--trials", "15")
        for point in answer["points"]:
            n = point["num_spins"]
            self.assertAlmostEqual(point["formulas"]["N / (2 ln N)"], n / (2 * math.log(n)), places=9)
            estimate = point["formulas"]["N Q(sqrt(N/K)) = ln 2"]
            self.assertAlmostEqual(point["median"], estimate, delta=0.35 * estimate)
            self.assertLessEqual(point["low"], point["median"])
            self.assertLessEqual(point["median"], point["high"])

    def test_worked_example_of_the_theorem(self):
        answer = self.theory_json("capacity", "--network", "continuous", "--n", "20", "--k", "3", "--trials", "7",
                                  "--patterns-max", "50")
        formulas = answer["points"][0]["formulas"]
        self.assertAlmostEqual(formulas["theorem: sqrt(p) c^((d-1)/4)"], 7.412974, delta=1e-5)
        self.assertEqual(formulas["all stored, exact tail, theorem's ball"], 341)
        self.assertEqual(formulas["all stored, exact tail, sharp ball"], 861)
        self.assertEqual(answer["points"][0]["num_capped"], 7)


class RetrievalError(TheoryTest):
    def test_no_point_lies_beyond_the_bound(self):
        answer = self.theory_json("retrieval-error", "--csv", "points.csv")
        self.assertEqual(answer["num_violations"], 0)
        rows = self.rows("points.csv")
        self.assertEqual(len(rows), answer["num_points"])
        for row in rows:
            bound = 2 * 31 * math.exp(-float(row["exponent"]))
            self.assertAlmostEqual(float(row["bound"]) / bound, 1, places=9)
            self.assertLessEqual(float(row["error"]), bound * (1 + 1e-9))

    def test_given_patterns_are_used(self):
        self.write_npy("p.npy", [1.0, 0.0, 0.0, 1.0], [2, 2], "<f8")
        answer = self.theory_json("retrieval-error", "--patterns", "p.npy", "--beta", "2", "--distance", "0",
                                  "--trials", "1", "--csv", "points.csv")
        self.assertEqual((answer["num_patterns"], answer["depth"]), (2, 2))
        # Two orthonormal patterns: the other one has weight 1/(1 + e^2), and lies sqrt 2 away.
        self.assertAlmostEqual(answer["betas"][0]["error_max"], math.sqrt(2) / (1 + math.exp(2)), places=14)


class FixedPoints(TheoryTest):
    def test_portable_problem_has_as_many_as_published(self):
        # X[k,i] = cos(0.7 k i) + 0.3 sin(1.3 k + 2.1 i), d = 6, N = 5
        values = [math.cos(0.7 * k * i) + 0.3 * math.sin(1.3 * k + 2.1 * i)
                  for i in range(1, 6) for k in range(1, 7)]
        self.write_npy("p.npy", values, [5, 6], "<f8")
        answer = self.theory_json("fixed-points", "--patterns", "p.npy", "--beta", "0.1,50", "--csv", "f.csv")
        low, high = answer["betas"]
        self.assertEqual((low["num_fixed_points"], low["num_global"]), (1, 1))
        self.assertTrue(low["contraction"])
        self.assertEqual(high["num_single"], 5)
        self.assertEqual(answer["num_bounds_broken"], 0)
        self.assertAlmostEqual(answer["distance_to_mean_max"], 2.0447741939, places=9)
        for point in high["fixed_points"]:
            self.assertLessEqual(point["residual"], 1e-10)
            for bound in point["jacobian_bounds"].values():
                self.assertLessEqual(point["jacobian_norm"], bound * (1 + 1e-10))
        self.assertEqual(len(self.rows("f.csv")), low["num_fixed_points"] + high["num_fixed_points"])

    def test_orthonormal_phases(self):
        answer = self.theory_json("fixed-points", "--draw", "orthonormal", "--n", "8", "--depth", "8",
                                  "--beta", "4,6,9", "--starts", "50")
        kinds = [(row["num_global"], row["num_single"]) for row in answer["betas"]]
        self.assertEqual(kinds[0], (1, 0))    # below 4.2498: the average alone
        self.assertEqual(kinds[1], (1, 8))    # both: below 8 the average is a minimum
        self.assertEqual(kinds[2], (0, 8))


class Energy(TheoryTest):
    def test_the_plane_and_its_basins(self):
        self.write_npy("p.npy", [1.0, 0.0, -1.0, 0.0], [2, 2], "<f8")
        answer = self.theory_json("energy", "--patterns", "p.npy", "--beta", "4", "--side", "21", "--csv", "e.csv")
        self.assertTrue(answer["energy_never_rose"])
        self.assertLessEqual(answer["balance_max"], answer["tolerance"])
        rows = self.rows("e.csv")
        self.assertEqual(len(rows), 21 * 21)
        for row in rows[::7]:
            x, y = float(row["x"]), float(row["y"])
            # -log(2 cosh(4 x))/4 + |xi|^2/2 + log(2)/4 + 1/2
            energy = (-math.log(math.cosh(4 * x)) / 4 + (x * x + y * y) / 2 + 0.5)
            self.assertAlmostEqual(float(row["energy"]), energy, places=12)
            if abs(x) > 1e-9:
                end = answer["fixed_points"][int(row["basin"])]["state"][0]
                self.assertGreater(end * x, 0)

    def test_spin_networks_descend(self):
        for network in ("classical", "dense", "exponential"):
            answer = self.theory_json("energy", "--network", network, "--n", "50", "--patterns-count", "5")
            self.assertTrue(answer["energy_never_rose"], network)
            self.assertEqual(len(answer["energies"]), 12)

    def test_a_line_in_other_depths(self):
        self.theory("energy", "--depth", "1", "--side", "11", "--csv", "line.csv")
        rows = self.rows("line.csv")
        self.assertEqual((len(rows), rows[0]["t"], rows[-1]["t"]), (11, "-0.5", "1.5"))


if __name__ == "__main__":
    unittest.main()
