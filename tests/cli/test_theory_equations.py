"""hopfield theory problem | bound | solvable | dense | dense-diagram | multitask: answers, files, errors."""

import csv
import json
import math
import unittest
import xml.etree.ElementTree

from support import ProgramTest

COMMANDS = ("problem", "bound", "solvable", "dense", "dense-diagram", "multitask")


class TheoryTest(ProgramTest):
    def answer(self, *arguments, status=0, **options):
        return json.loads(self.expect(status, "theory", *arguments, "--json", **options).stdout)


class Answers(TheoryTest):
    def test_every_answer_says_how_well_it_is_solved(self):
        for arguments in (["problem"], ["bound"], ["solvable"], ["dense", "--gamma", "0.2", "--temperature", "0.3"],
                          ["dense", "--critical"], ["dense", "--gamma", "0.2", "--line", "crossing"], ["multitask"]):
            with self.subTest(arguments):
                got = self.answer(*arguments)
                self.assertIs(got["converged"], True)
                self.assertLess(got["residual"], 1e-9)
                self.assertGreaterEqual(got["iterations"], 0)

    def test_problem(self):
        got = self.answer("problem", "--d", 8, "--n", 12, "--beta", 0.25)
        # Printed with ten digits.
        self.assertAlmostEqual(got["energy_end"], 4.3085857050, delta=1e-10)
        self.assertAlmostEqual(got["gradient_beta"], 0.0601896627, delta=1e-10)
        self.assertEqual((got["steps"], got["metastable_size_0"], got["metastable_size_end"]), (22, 10, 11))

    def test_bound(self):
        got = self.answer("bound", "--beta", 1, "--k", 3, "--d", 20, "--p", 0.001)
        self.assertAlmostEqual(got["c"], 3.154611, delta=1e-6)
        self.assertAlmostEqual(got["guaranteed_n"], 7.412974, delta=1e-6)
        self.assertEqual(got["exact_tail_master"]["num_patterns"], 341)
        self.assertEqual(got["exact_tail_sharp"]["num_patterns"], 861)
        self.assertIs(got["applies"], True)
        silent = self.answer("bound", "--beta", 0.1, "--k", 1, "--d", 5)
        self.assertIs(silent["applies"], False)
        self.assertEqual(silent["guaranteed_n"], 0)

    def test_solvable(self):
        got = self.answer("solvable", "--n", 8, "--b", 4.540457)
        self.assertAlmostEqual(got["b_single"], 4.249799, delta=1e-6)
        self.assertAlmostEqual(got["q"], 7 / 8, delta=1e-6)
        self.assertAlmostEqual(self.answer("solvable", "--n", 2, "--b", 2.535)["s"], 0.98664469, delta=1e-8)

    def test_dense(self):
        got = self.answer("dense", "--p", 4, "--gamma", 0.2, "--temperature", 0.3)
        self.assertAlmostEqual(got["m"], 0.9959084, delta=1e-7)
        self.assertAlmostEqual(got["q"], 0.9944833, delta=1e-7)
        self.assertAlmostEqual(got["A"], 1.66943598, delta=1e-8)
        self.assertIs(got["stable"], True)
        broken = self.answer("dense", "--p", 4, "--gamma", 0.38, "--temperature", 0.05, "--ansatz", "1rsb")
        self.assertAlmostEqual(broken["m"], 0.96052, delta=1e-5)
        self.assertAlmostEqual(broken["theta"], 0.2415, delta=5e-4)

    def test_critical_loads(self):
        got = self.answer("dense", "--p", 4, "--temperature", 0, "--critical")
        self.assertAlmostEqual(got["gamma_c"], 0.3957202384, delta=1e-10)
        self.assertAlmostEqual(got["patterns_per_n_power"], 0.0329766865, delta=1e-10)
        got = self.answer("dense", "--p", 4, "--temperature", 0, "--critical", "--ansatz", "1rsb")
        self.assertAlmostEqual(got["gamma_c"], 0.4583, delta=5e-5)
        self.assertAlmostEqual(got["gamma_ground_state"], 0.37979, delta=5e-6)

    def test_hopfield_one_step_at_zero_temperature_has_small_loads_too(self):
        got = self.answer("dense", "--p", 2, "--gamma", 0.08, "--temperature", 0, "--ansatz", "1rsb")
        self.assertIs(got["collapsed"], False)
        self.assertLess(got["q1"], 1)
        tiny = self.answer("dense", "--p", 2, "--gamma", 0.01, "--temperature", 0, "--ansatz", "1rsb")
        self.assertIs(tiny["collapsed"], True)
        self.assertRegex(tiny["message"], "replica-symmetric to rounding")

    def test_multitask(self):
        got = self.answer("multitask", "--k", 2, "--dilution", 0.3, "--temperature", 0.2, "--rho", 0.25)
        self.assertAlmostEqual(got["m"][0], 0.57143, delta=1e-5)
        self.assertAlmostEqual(got["n"][1], 0.24353, delta=1e-5)
        self.assertEqual(got["regime"], "hierarchical")
        learned = self.answer("multitask", "--k", 1, "--dilution", 0, "--temperature", 0.1, "--quality", 0.3,
                              "--examples", 20, "--theta", 0.7)["learning"]
        self.assertAlmostEqual(learned["rho"], 0.91 / (20 * 0.09), delta=1e-15)
        self.assertAlmostEqual(learned["m_one_pattern"], math.erf(1 / math.sqrt(2 * learned["rho"])), delta=1e-15)
        self.assertIs(learned["reached"], learned["m_one_pattern"] >= learned["m_wanted"])
        # Heat asks for more examples than T -> 0 does.
        self.assertGreater(learned["all_patterns"]["examples_needed"], learned["examples_needed"])

    def test_multitask_takes_many_patterns(self):
        got = self.answer("multitask", "--k", 12, "--dilution", 0.8, "--temperature", 0.08, "--rho", 0.2,
                          "--start", "parallel")
        self.assertEqual(got["regime"], "parallel")
        self.assertEqual(len(set(got["m"])), 1)
        for m, loss in zip(got["m"], got["loss"]):
            self.assertAlmostEqual(loss, 1 - 0.8 / 2 - m, delta=1e-15)

    def test_what_has_no_solution_is_said_and_ends_with_status_four(self):
        arguments = ("dense", "--p", "4", "--gamma", "0.2", "--temperature", "0.9")
        result = self.expect(4, "theory", *arguments, "--json", error="no retrieval solution at gamma = 0.2, T = 0.9")
        got = json.loads(result.stdout)
        self.assertIs(got["converged"], False)
        self.assertIsNone(got["m"])
        self.expect(4, "theory", "dense", "--p", 2, "--gamma", 0.1, "--line", "dynamic-glass", error="continuously")
        self.expect(4, "theory", "solvable", "--n", 8, "--b", 2, error="no state near one pattern")

    def test_without_json_a_table(self):
        self.expect(0, "theory", "dense", "--gamma", 0.2, "--temperature", 0.3, output=r"^p +4\n.*\nm +0\.99590841")

    def test_json_to_a_file(self):
        self.expect(0, "theory", "bound", "--json=b.json", output="guaranteed_n")
        self.assertIn("guaranteed_n", json.loads((self.folder / "b.json").read_text()))


class Diagrams(TheoryTest):
    def test_dense_diagram_writes_data_picture_and_page(self):
        self.expect(0, "theory", "dense-diagram", "--p", 4, "--points", 3, "--csv", "d.csv", "--svg", "d.svg",
                    "--report", "d.html")
        with open(self.folder / "d.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 3)
        self.assertAlmostEqual(float(rows[0]["spinodal"]), 0.9915726, delta=1e-7)
        self.assertEqual(rows[0]["static-glass"], "")
        # The last load is beyond the largest one at T = 0, where retrieval begins at a temperature.
        self.assertAlmostEqual(float(rows[-1]["gamma"]), 0.46016, delta=1e-4)
        self.assertEqual(float(rows[1]["re-entry"]), 0)
        self.assertTrue(0.3 < float(rows[-1]["re-entry"]) < float(rows[-1]["spinodal"]) < 0.6)
        svg = xml.etree.ElementTree.parse(self.folder / "d.svg").getroot()
        self.assertTrue(svg.tag.endswith("svg"))
        text = (self.folder / "d.svg").read_text()
        for label in ("temperature T", "load gamma", "spinodal", "stability"):
            self.assertIn(label, text)
        self.assertIn("gamma_c_1rsb", (self.folder / "d.html").read_text())

    def test_threads_change_nothing(self):
        one = self.answer("dense-diagram", "--p", 2, "--points", 4, "--threads", 1)
        two = self.answer("dense-diagram", "--p", 2, "--points", 4, "--threads", 2)
        self.assertEqual(one, two)

    def test_multitask_diagram(self):
        self.expect(0, "theory", "multitask", "--k", 3, "--diagram", "--points", 9, "--csv", "m.csv", "--svg", "m.svg")
        with open(self.folder / "m.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 9 * 5)
        self.assertLessEqual({"hierarchical", "paramagnet"}, {row["regime"] for row in rows})
        for row in rows:
            if float(row["temperature"]) > 1 - float(row["dilution"]) + 0.05:
                self.assertEqual(row["regime"], "paramagnet", row)
        self.assertIn("dilution d", (self.folder / "m.svg").read_text())


class Errors(TheoryTest):
    def test_parameters_out_of_range_are_refused(self):
        for arguments, message in [
            (["dense", "--p", "3", "--gamma", "0.1"], r"expected an even P"),
            (["dense", "--p", "1", "--gamma", "0.1"], r"--p: expected a whole number"),
            (["dense", "--gamma", "-0.1"], r"--gamma: expected a number"),
            (["dense", "--gamma", "nan"], r"--gamma: expected a number"),
            (["dense", "--gamma", "0.1", "--temperature", "-1"], r"--temperature: expected a number"),
            (["dense", "--gamma", "0.1", "--temperature", "inf"], r"--temperature: expected a number"),
            (["dense"], r"expected a load, got none"),
            (["dense", "--critical", "--temperature", "0.1"], r"expected --temperature 0 with --critical"),
            (["dense", "--critical", "--line", "spinodal"], r"excludes"),
            (["dense", "--gamma", "0.1", "--ansatz", "rsb"], r"--ansatz"),
            (["problem", "--beta", "0"], r"--beta: expected a number"),
            (["problem", "--beta", "-1"], r"--beta: expected a number"),
            (["problem", "--beta", "nan"], r"--beta: expected a number"),
            (["problem", "--beta", "inf"], r"--beta: expected a number"),
            (["problem", "--d", "0"], r"--d: expected a whole number"),
            (["bound", "--beta", "0"], r"--beta: expected a number"),
            (["bound", "--beta", "-1"], r"--beta: expected a number"),
            (["bound", "--beta", "inf"], r"--beta: expected a number"),
            (["bound", "--k", "nan"], r"--k: expected a number"),
            (["bound", "--d", "1"], r"--d: expected a whole number"),
            (["bound", "--p", "0"], r"--p: expected a number"),
            (["bound", "--p", "nan"], r"--p: expected a number"),
            (["solvable", "--b", "-1"], r"--b: expected a number"),
            (["dense", "--p", "5", "--gamma", "0.1", "--line", "spinodal"], r"expected an even P"),
            (["dense", "--p", "5", "--critical"], r"expected an even P"),
            (["multitask", "--dilution", "-0.1"], r"--dilution: expected a number from 0 to 1"),
            (["multitask", "--dilution", "nan"], r"--dilution: expected a number from 0 to 1"),
            (["multitask", "--temperature", "-1"], r"--temperature: expected a number"),
            (["problem", "--d", "100000", "--n", "100000"], r"at most 10\^7 numbers"),
            (["bound", "--p", "2"], r"--p: expected a number"),
            (["multitask", "--dilution", "1.5"], r"--dilution: expected a number from 0 to 1"),
            (["multitask", "--k", "9", "--rho", "0.1", "--temperature", "0"], r"expected 1 to 8 patterns"),
            (["multitask", "--k", "13", "--temperature", "0"], r"expected 1 to 12 patterns"),
            (["multitask", "--rho", "1", "--quality", "0.5"], r"excludes"),
            (["multitask", "--csv", "x.csv"], r"expected --diagram"),
            (["dense-diagram"], r"expected --csv, --svg, --report or --json"),
        ]:
            with self.subTest(arguments):
                self.expect(2, "theory", *arguments, error=message)
        self.assertEqual(self.names(), [])

    def test_a_folder_that_does_not_exist_is_said_first(self):
        self.expect(1, "theory", "dense-diagram", "--csv", "no/d.csv", error="does not exist")


class Help(TheoryTest):
    def test_examples_work_and_help_fits_a_terminal(self):
        for command in COMMANDS:
            for line in self.expect(0, "theory", command, "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 100, line)
            for example in self.examples_of("theory", command):
                with self.subTest(example):
                    self.expect(0, *example)


if __name__ == "__main__":
    unittest.main()
