"""hopfield memory: the commands that ask a memory and leave it as it is, but recall (test_memory.py)."""

import csv
import json
import math
import random
import struct
import unittest

from support import ProgramTest, read_npy

DEPTH = 8


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


class AskTest(ProgramTest):
    """A memory of 30 patterns of unequal norms, with ids."""

    def setUp(self):
        super().setUp()
        rng = random.Random(7)
        self.patterns = [[round(rng.gauss(0, 1 + i / 30), 3) for _ in range(DEPTH)] for i in range(30)]
        self.ids = [f"p{i}" for i in range(29)] + ['odd, "quoted"']
        self.write_npy("p.npy", sum(self.patterns, []), [30, DEPTH], "<f8")
        self.write("ids.txt", "\n".join(self.ids) + "\n")
        self.expect(0, "memory", "create", "p.npy", "--ids", "ids.txt", "-o", "m.safetensors")
        self.cues = [[v + rng.gauss(0, 0.1) for v in self.patterns[i]] for i in (4, 29, 11)]
        self.write_npy("c.npy", sum(self.cues, []), [3, DEPTH], "<f8")

    def ask(self, command, *options, status=0, **more):
        return self.expect(status, "memory", command, "m.safetensors", *options, **more)

    def run_examples(self, *command):
        for example in self.examples_of("memory", *command):
            with self.subTest(example):
                for path in self.folder.iterdir():
                    path.unlink()
                self.write_npy("patterns.npy", sum(self.patterns, []), [30, DEPTH], "<f8")
                self.expect(0, "memory", "create", "patterns.npy", "-o", "memory.safetensors")
                self.write_npy("cue.npy", sum(self.cues, []), [3, DEPTH], "<f8")
                rng = random.Random(1)
                self.write_npy("others.npy", [rng.gauss(0, 1) for _ in range(200 * DEPTH)], [200, DEPTH], "<f8")
                self.write_npy("mask.npy", [0] * 6 + [1, 1], [1, DEPTH], "|u1")
                if "--detector" in example:
                    self.expect(0, "memory", "ood", "fit", "memory.safetensors", "-o", "detector.json")
                self.write("gaps.csv", "a,b,c,d,e,f,g,h\n1,,0.5,nan,1,1,-1,0\n")
                self.expect(0, *example)


class Search(AskTest):
    def wanted(self, cue, beta, top):
        """(index, similarity, weight) of the best, by the formula."""
        similarities = [dot(x, cue) for x in self.patterns]
        largest = max(similarities)
        total = sum(math.exp(beta * (s - largest)) for s in similarities)
        order = sorted(range(30), key=lambda i: -similarities[i])[:top]
        return [(i, similarities[i], math.exp(beta * (similarities[i] - largest)) / total) for i in order]

    def test_json_lines_hold_the_best_patterns_by_the_formula(self):
        lines = self.ask("search", "--cue", "c.npy", "--beta", 0.5, "--top", 4, "-o", "-").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for n, (line, cue) in enumerate(zip(lines, self.cues)):
            answer = json.loads(line)
            self.assertEqual(list(answer), ["cue", "lse", "hits"])
            self.assertEqual(answer["cue"], n)
            self.assertEqual(len(answer["hits"]), 4)
            for hit, (index, similarity, weight) in zip(answer["hits"], self.wanted(cue, 0.5, 4)):
                self.assertEqual(list(hit), ["id", "index", "similarity", "score", "weight"])
                self.assertEqual((hit["id"], hit["index"]), (self.ids[index], index))
                # patterns and cues were rounded to f32
                self.assertAlmostEqual(hit["similarity"], similarity, delta=1e-5)
                self.assertAlmostEqual(hit["score"], 0.5 * similarity, delta=1e-5)
                self.assertAlmostEqual(hit["weight"], weight, delta=1e-5)
        self.assertEqual([json.loads(line)["hits"][0]["id"] for line in lines][1], 'odd, "quoted"')

    def test_all_forms_tell_the_same(self):
        options = ["--cue", "c.npy", "--beta", 0.5, "--top", 3]
        lines = self.ask("search", *options, "-o", "-").stdout
        self.ask("search", *options, "-o", "h.jsonl")
        self.assertEqual((self.folder / "h.jsonl").read_text(), lines)
        hits = [hit for line in lines.splitlines() for hit in json.loads(line)["hits"]]
        self.ask("search", *options, "-o", "h.csv")
        with open(self.folder / "h.csv", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual([row["id"] for row in table], [hit["id"] for hit in hits])
        self.assertEqual([float(row["weight"]) for row in table], [hit["weight"] for hit in hits])
        self.assertEqual([(row["cue"], row["rank"]) for row in table][:4],
                         [("0", "1"), ("0", "2"), ("0", "3"), ("1", "1")])
        self.ask("search", *options, "-o", "h.tsv")
        self.assertEqual([line.split("\t")[2] for line in (self.folder / "h.tsv").read_text().splitlines()[1:4]],
                         [hit["id"] for hit in hits[:3]])
        self.ask("search", *options, "-o", "h.npy")
        self.assertEqual(read_npy(self.folder / "h.npy"), ((3, 3), [hit["index"] for hit in hits]))

    def test_distance_and_cosine_find_their_own_nearest(self):
        for name, key in (("distance", lambda x, c: -sum((a - b) ** 2 for a, b in zip(x, c))),
                          ("cosine", lambda x, c: dot(x, c) / math.sqrt(dot(x, x) * dot(c, c)))):
            lines = self.ask("search", "--cue", "c.npy", "--similarity", name, "--beta", 2, "-o", "-").stdout
            for line, cue in zip(lines.splitlines(), self.cues):
                hits = json.loads(line)["hits"]
                order = sorted(range(30), key=lambda i: -key(self.patterns[i], cue))[:10]
                self.assertEqual([hit["index"] for hit in hits], order)
                self.assertAlmostEqual(hits[0]["similarity"], key(self.patterns[order[0]], cue), delta=1e-5)

    def test_more_cues_than_a_batch_and_more_wanted_than_stored(self):
        many = [self.cues[i % 3] for i in range(600)]
        self.write_npy("many.npy", sum(many, []), [600, DEPTH], "<f8")
        lines = self.ask("search", "--cue", "many.npy", "--beta", 1, "--top", 99, "-o", "-").stdout.splitlines()
        answers = [json.loads(line) for line in lines]
        self.assertEqual([a["cue"] for a in answers], list(range(600)))
        for answer in answers:
            self.assertEqual(answer["hits"], answers[answer["cue"] % 3]["hits"])
        self.assertEqual(len(answers[0]["hits"]), 30)
        self.assertAlmostEqual(sum(hit["weight"] for hit in answers[0]["hits"]), 1, delta=1e-5)

    def test_table_for_people(self):
        self.ask("search", "--cue", "c.npy", "--beta", 2, "--top", 1,
                 output=r"30 patterns of depth 8\nbeta +2 \(given\), similarity dot\n.*\n +0 +1 .*  p\d+\n")

    def test_bad_input_is_named(self):
        self.write_npy("deep.npy", [1.0] * 9, [1, 9])
        self.ask("search", "--cue", "deep.npy", status=3, error="expected cues of depth 8")
        self.ask("search", "--cue", "c.npy", "-o", "h.txt", status=2, error="expected - or a name that ends in")
        self.ask("search", "--cue", "c.npy", "--beta", "-1", status=2, error="expected a number > 0 .* or 'auto'")
        self.ask("search", "--cue", "c.npy", "--top", 0, status=2, error="--top")

    def test_examples(self):
        self.run_examples("search")


class Complete(AskTest):
    def complete(self, *options, **more):
        return json.loads(self.ask("complete", *options, "--json", "-", **more).stdout)

    def test_one_update_is_the_formula_over_the_known_coordinates(self):
        beta = 0.8
        known = [k for k in range(DEPTH) if k not in (1, 3)]
        cue = self.cues[0]
        cells = ["" if k == 1 else "nan" if k == 3 else repr(v) for k, v in enumerate(cue)]
        self.write("gaps.csv", "a,b,c,d,e,f,g,h\n" + ",".join(cells) + "\n")
        result = self.complete("--cue", "gaps.csv", "--beta", beta, "--updates", 1)["results"][0]
        weights = [math.exp(-beta / 2 * sum((x[k] - cue[k]) ** 2 for k in known)) for x in self.patterns]
        total = sum(weights)
        for k in range(DEPTH):
            mean = sum(w * x[k] for w, x in zip(weights, self.patterns)) / total
            self.assertAlmostEqual(result["state"][k], cue[k] if k in known else mean, delta=1e-5)
        self.assertAlmostEqual(result["energy"], -math.log(total / 30) / beta, delta=1e-4)
        self.assertEqual(result["energy_cue"], result["energy"])
        best = max(range(30), key=lambda i: weights[i])
        self.assertEqual((result["top"][0]["index"], result["steps"]), (best, 1))
        self.assertAlmostEqual(result["largest"], weights[best] / total, delta=1e-5)

    def test_gaps_of_stored_patterns_are_filled_in(self):
        flat = sum(self.patterns, [])
        self.write_npy("c.npy", flat, [30, DEPTH], "<f8")
        self.write_npy("mask.npy", [0, 1] * 4, [1, DEPTH], "|u1")
        answer = self.complete("--cue", "c.npy", "--mask", "mask.npy", "-o", "w.npy")
        self.assertEqual(answer["beta_source"], "measured")
        shape, whole = read_npy(self.folder / "w.npy")
        self.assertEqual(shape, (30, DEPTH))
        right = sum(max(abs(a - b) for a, b in zip(whole[i * DEPTH:(i + 1) * DEPTH], self.patterns[i])) < 0.5
                    for i in range(30))
        self.assertGreaterEqual(right, 27)  # 95 % of sampled patterns, by the advice
        # A mask of a row a cue, and NaN in the cues themselves, are the same thing.
        self.write_npy("mask.npy", [0, 1] * 4 * 30, [30, DEPTH], "|u1")
        self.assertEqual(self.complete("--cue", "c.npy", "--mask", "mask.npy")["results"], answer["results"])
        gaps = [float("nan") if i % 2 else v for i, v in enumerate(flat)]
        self.write_npy("c.npy", gaps, [30, DEPTH], "<f8")
        self.assertEqual(self.complete("--cue", "c.npy")["results"], answer["results"])

    def test_bad_masks_and_cues_are_named(self):
        self.write_npy("mask.npy", [0, 1], [1, 2], "|u1")
        self.ask("complete", "--cue", "c.npy", "--mask", "mask.npy", status=3,
                 error=r"'mask.npy': expected a mask of shape \[1, 8\] or \[cues, 8\], got depth 2")
        self.write("word.csv", "a,b,c,d,e,f,g,h\n1,,three,4,5,6,7,8\n")
        self.ask("complete", "--cue", "word.csv", status=3, error="column 'c' .*got 'three'")
        self.ask("recall", "--cue", "word.csv", status=3, error="column 'b' .*got an empty cell")
        self.write_npy("inf.npy", [float("inf")] * DEPTH, [1, DEPTH], "<f8")
        self.ask("complete", "--cue", "inf.npy", status=3, error="row 0, column 0 .*expected a finite number")

    def test_examples(self):
        self.run_examples("complete")


class Calibrate(AskTest):
    def energy(self, cue, beta):
        terms = [math.exp(-beta / 2 * sum((v - w) ** 2 for v, w in zip(x, cue))) for x in self.patterns]
        return -math.log(sum(terms) / 30) / beta

    def setUp(self):
        super().setUp()
        rng = random.Random(5)
        self.others = [[rng.gauss(0, 1.5) for _ in range(DEPTH)] for _ in range(199)]
        self.write_npy("o.npy", sum(self.others, []), [199, DEPTH], "<f8")

    def test_the_threshold_is_the_rank_of_a_held_back_energy(self):
        self.ask("calibrate", "--held-back", "o.npy", "--known", "c.npy", "--false-recall", 0.05, "--beta", 2,
                 "-o", "t.json", output=r"energy below .* of 199 held-back cues.*chance 0.05 at most\nknown +\d of 3")
        threshold = json.loads((self.folder / "t.json").read_text())
        energies = sorted(self.energy(cue, 2) for cue in self.others)
        self.assertAlmostEqual(threshold["energy"], energies[9], delta=1e-4)
        self.assertAlmostEqual(threshold["false_recall_bound"], 0.05)
        self.assertEqual(threshold["num_known_matched"], sum(self.energy(c, 2) < threshold["energy"] for c in self.cues))
        answer = json.loads(self.ask("recall", "--cue", "o.npy", "--threshold", "t.json", "--json", "-").stdout)
        self.assertEqual((answer["beta"], answer["beta_source"], answer["threshold"]),
                         (2, "threshold", threshold["energy"]))
        self.assertEqual(sum(r["match"] for r in answer["results"]), 9)
        for result, cue in zip(answer["results"], self.others):
            self.assertAlmostEqual(result["match_energy"], self.energy(cue, 2), delta=1e-4)
        for result in answer["results"]:
            self.assertEqual(result["match"], result["match_energy"] < threshold["energy"])
        self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", output=r"match  associations\n +0 .* yes ")

    def test_stored_patterns_match_whatever_their_norms(self):
        self.write_npy("known.npy", sum(self.patterns, []), [30, DEPTH], "<f8")
        self.ask("calibrate", "--held-back", "o.npy", "--known", "known.npy", "--beta", 2, "-o", "t.json",
                 output="known +30 of 30 match")

    def test_a_threshold_fits_its_own_memory_and_beta_only(self):
        self.ask("calibrate", "--held-back", "o.npy", "--beta", 2, "-o", "t.json")
        self.ask("calibrate", "--held-back", "o.npy", "--beta", 2, "-o", "t.json", status=1, error="give --force")
        self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", "--beta", 2)
        self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", "--beta", 3, status=2,
                 error="expected the beta of the threshold, 2, got 3; leave --beta away")
        self.write_npy("p.npy", sum(self.patterns[:9], []), [9, DEPTH], "<f8")
        self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors", "--force")
        self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", status=3,
                 error=r"with 9 patterns of depth 8, got one for 30 of depth 8; run memory calibrate again")
        for text in ("", "{", "[1]", '{"beta": 2}', "null", '{"format": 3}'):
            self.write("t.json", text)
            self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", status=3,
                     error="'t.json': expected a file that memory calibrate wrote")
        self.write("t.json", '{"format": "hopfield.threshold", "beta": "2"}')
        self.ask("recall", "--cue", "c.npy", "--threshold", "t.json", status=3, error="expected a number 'beta', got none")

    def test_too_few_held_back_cues_promise_nothing(self):
        self.ask("calibrate", "--held-back", "c.npy", "--beta", 2, "-o", "t.json", status=2,
                 error="expected at least 99 held-back cues")
        self.assertNotIn("t.json", self.names())

    def test_regimes_are_told(self):
        for beta, name in ((1e-6, "global-average"), (50, "single-pattern")):
            answer = json.loads(self.ask("recall", "--cue", "c.npy", "--beta", beta, "--json", "-").stdout)
            for result in answer["results"]:
                self.assertEqual(result["regime"], name)
                self.assertIsNone(result["match"])

    def test_examples(self):
        self.run_examples("calibrate")


class Ood(AskTest):
    def score(self, *options, status=0, **more):
        return self.expect(status, "memory", "ood", "score", "m.safetensors", *options, **more)

    def fit(self, *options, status=0, **more):
        return self.expect(status, "memory", "ood", "fit", "m.safetensors", *options, **more)

    def scores(self, patterns, state, beta, neighbours):
        """energy, weighted, nearest: the formulas, in double."""
        squares = sorted(self.square(x, state) for x in patterns)
        terms = [math.exp(-beta / 2 * (q - squares[0])) for q in squares]
        return (squares[0] / 2 - math.log(sum(terms) / len(patterns)) / beta,
                sum(t * q for t, q in zip(terms, squares)) / sum(terms) / 2, math.sqrt(squares[neighbours - 1]))

    def square(self, a, b):
        return sum((x - y) ** 2 for x, y in zip(a, b))

    def setUp(self):
        super().setUp()
        rng = random.Random(5)
        self.others = [[rng.gauss(0, 6) for _ in range(DEPTH)] for _ in range(40)]
        self.write_npy("o.npy", sum(self.others, []), [40, DEPTH], "<f8")

    def test_scores_are_their_formulas(self):
        beta = 0.7
        self.score("--cue", "c.npy", "--outside", "o.npy", "--beta", beta, "--neighbours", 3, "-o", "s.csv")
        with open(self.folder / "s.csv", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual([(row["outside"], row["row"]) for row in table],
                         [("0", str(i)) for i in range(3)] + [("1", str(i)) for i in range(40)])
        for row, cue in zip(table, self.cues + self.others):
            energy, weighted, nearest = self.scores(self.patterns, cue, beta, 3)
            # f32 scores of up to a few hundred
            self.assertAlmostEqual(float(row["energy"]), energy, delta=1e-3)
            self.assertAlmostEqual(float(row["weighted"]), weighted, delta=1e-3)
            self.assertAlmostEqual(float(row["nearest"]), nearest, delta=1e-5)

    def test_a_detector_holds_the_quantiles_of_held_out_patterns(self):
        self.fit("--beta", 0.7, "--neighbours", 3, "-o", "d.json",
                 output=r"beta +0.7 \(given\)\ninside +30 held-out patterns; 95 % of them have energy <= ")
        detector = json.loads((self.folder / "d.json").read_text())
        self.assertEqual([detector[key] for key in ("format", "version", "num_patterns", "depth", "beta", "beta_source",
                                                    "neighbours", "seed", "num_inside")],
                         ["hopfield.detector", 1, 30, DEPTH, 0.7, "given", 3, 0, 30])
        held_out = [self.scores(self.patterns[:i] + self.patterns[i + 1:], x, 0.7, 3) for i, x in enumerate(self.patterns)]
        for which, name in enumerate(("energy", "weighted", "nearest")):
            scores = sorted(one[which] for one in held_out)
            quantiles = detector["quantiles"][name]
            self.assertEqual(len(quantiles), 101)
            for percent, quantile in enumerate(quantiles):
                # f32 scores of up to a few hundred
                self.assertAlmostEqual(quantile, scores[max(1, -(-percent * 30 // 100)) - 1], delta=1e-3)
            self.assertEqual(detector["thresholds"][name], quantiles[95])

    def test_a_detector_scores_as_fitting_on_the_way_does(self):
        options = ["--cue", "c.npy", "--outside", "o.npy"]
        self.fit("--neighbours", 3, "--seed", 4, "-o", "d.json")
        self.score(*options, "--detector", "d.json", "-o", "a.csv", "--json=a.json",
                   output=r"beta .* \(detector\).*threshold +cues beyond +outside beyond.*AUROC")
        self.score(*options, "--neighbours", 3, "--seed", 4, "-o", "b.csv", "--json=b.json")
        self.assertEqual((self.folder / "a.csv").read_text(), (self.folder / "b.csv").read_text())
        a, b = (json.loads((self.folder / name).read_text()) for name in ("a.json", "b.json"))
        self.assertEqual((a.pop("detector"), b.pop("detector")), ("d.json", None))
        self.assertEqual((a.pop("beta_source"), b.pop("beta_source")), ("detector", "likelihood"))
        self.assertEqual(a, b)

    def test_shares_and_thresholds_come_from_states_known_to_lie_inside(self):
        rng = random.Random(6)
        inside = [[v + rng.gauss(0, 0.5) for v in self.patterns[i % 30]] for i in range(90)]
        self.write_npy("inside.npy", sum(inside, []), [90, DEPTH], "<f8")
        self.fit("--beta", 1, "--neighbours", 1, "--inside", "inside.npy", "-o", "d.json", output="inside +90 states;")
        answer = json.loads(self.score("--cue", "inside.npy", "--outside", "o.npy", "--detector", "d.json", "-o", "s.csv",
                                       "--json").stdout)
        self.assertEqual(answer["beyond"], {"energy": 4, "weighted": 4, "nearest": 4})  # 86 of 90 are 95 %
        with open(self.folder / "s.csv", newline="") as file:
            table = list(csv.DictReader(file))
        for name in ("energy", "weighted", "nearest"):
            scores = [float(row[name]) for row in table[:90]]
            self.assertEqual(answer["outside_beyond"][name],
                             sum(float(row[name]) > answer["thresholds"][name] for row in table[90:]))
            for row in table:
                further = sum(score > float(row[name]) for score in scores) / 90
                # quantiles stand 1 % apart, the scores 1/90
                self.assertAlmostEqual(float(row[name + "_share"]), further, delta=1 / 90 + 0.01)

    def test_a_detector_fits_its_own_memory_only(self):
        self.fit("--beta", 1, "-o", "d.json")
        self.fit("--beta", 1, "-o", "d.json", status=1, error="give --force")
        self.score("--cue", "c.npy", "--detector", "d.json", "--beta", 2, status=2, error="--detector excludes --beta")
        for text, error in (("{}", "'e.json': expected a file that memory ood fit wrote"),
                            (json.dumps(dict(json.loads((self.folder / "d.json").read_text()), quantiles={})),
                             "'e.json': expected 101 ascending quantiles of 'energy', got others")):
            self.write("e.json", text)
            self.score("--cue", "c.npy", "--detector", "e.json", status=3, error=error)
        self.write_npy("p.npy", sum(self.patterns[:9], []), [9, DEPTH], "<f8")
        self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors", "--force")
        self.score("--cue", "c.npy", "--detector", "d.json", status=3,
                   error=r"with 9 patterns of depth 8, got one for 30 of depth 8; run memory ood fit again")

    def test_one_pattern_has_no_others(self):
        self.write_npy("p.npy", self.patterns[0], [1, DEPTH], "<f8")
        self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors", "--force")
        self.fit("--beta", 1, "-o", "d.json", status=2, error="expected at least two patterns, got 1")

    def test_auroc_and_fpr95_are_counted(self):
        rng = random.Random(9)
        cues = [[v + rng.gauss(0, 1.2) for v in self.patterns[rng.randrange(30)]] for _ in range(60)]
        others = [[rng.gauss(0, 2) for _ in range(DEPTH)] for _ in range(50)]
        self.write_npy("c.npy", sum(cues, []), [60, DEPTH], "<f8")
        self.write_npy("o.npy", sum(others, []), [50, DEPTH], "<f8")
        result = self.score("--cue", "c.npy", "--outside", "o.npy", "-o", "s.csv", "--json=o.json",
                          output=r"beta .*\(likelihood\).*60 inside, 50 outside.*AUROC")
        self.assertIn("energy", result.stdout)
        answer = json.loads((self.folder / "o.json").read_text())
        with open(self.folder / "s.csv", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual([rate["score"] for rate in answer["rates"]], ["energy", "weighted", "nearest"])
        for rate in answer["rates"]:
            inside = [float(row[rate["score"]]) for row in table if row["outside"] == "0"]
            outside = [float(row[rate["score"]]) for row in table if row["outside"] == "1"]
            wins = sum((o > i) + (o == i) / 2 for o in outside for i in inside)
            self.assertAlmostEqual(rate["auroc"], wins / 3000)
            limit = sorted(inside)[56]  # 57 of 60 are 95 %
            self.assertAlmostEqual(rate["fpr95"], sum(o <= limit for o in outside) / 50)
            self.assertLessEqual(rate["auroc_low"], rate["auroc"])
            self.assertGreaterEqual(rate["auroc_high"], rate["auroc"])
            self.assertLessEqual(rate["fpr95_low"], rate["fpr95"])
            self.assertGreaterEqual(rate["fpr95_high"], rate["fpr95"])

    def test_without_labels_there_are_scores_only(self):
        answer = json.loads(self.score("--cue", "c.npy", "--beta", 1, "--json").stdout)
        self.assertNotIn("rates", answer)
        self.assertEqual((answer["num_cues"], answer["num_outside"], answer["beta_source"]), (3, 0, "given"))

    def test_bad_input_is_named(self):
        self.write_npy("deep.npy", [1.0] * 9, [1, 9])
        self.score("--cue", "c.npy", "--outside", "deep.npy", status=3, error="'deep.npy': expected cues of depth 8")
        self.write_npy("none.npy", [], [0, DEPTH])
        self.score("--cue", "c.npy", "--outside", "none.npy", status=2, error="expected both classes")

    def test_examples(self):
        self.run_examples("ood", "fit")
        self.run_examples("ood", "score")


class Dedup(AskTest):
    def setUp(self):
        super().setUp()
        self.near = self.patterns + [[v + 0.01 for v in self.patterns[3]], self.patterns[5],
                                     [2 * v for v in self.patterns[7]]]
        self.write_npy("p.npy", sum(self.near, []), [33, DEPTH], "<f8")
        self.write("ids.txt", "\n".join(self.ids + ["x", "y", "z"]) + "\n")
        self.expect(0, "memory", "create", "p.npy", "--ids", "ids.txt", "-o", "m.safetensors", "--force")

    def pairs(self, *options):
        lines = self.ask("dedup", *options, "--list", "-").stdout.splitlines()
        return [(row["id"], row["of_id"]) for row in csv.DictReader(lines)]

    def test_thresholds_tell_what_is_near(self):
        self.assertEqual(self.pairs(), [("y", "p5")])
        self.assertEqual(self.pairs("--distance", 0.1), [("x", "p3"), ("y", "p5")])
        self.assertIn(("z", "p7"), self.pairs("--cosine", 0.9999))
        self.ask("dedup", "--distance", 0.1,
                 output=r"2 of 33 patterns are near duplicates, 31 stay\n  x of p3, distance 0.028.*\n  y of p5, distance 0\n")

    def test_a_new_memory_holds_the_rest(self):
        before = (self.folder / "m.safetensors").read_bytes()
        self.ask("dedup", "--distance", 0.1, "-o", "fewer.safetensors")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)
        stat = json.loads(self.expect(0, "memory", "stat", "fewer.safetensors", "--json").stdout)
        self.assertEqual((stat["num_patterns"], stat["has_ids"], stat["duplicates"]["count"]), (31, True, 0))
        hits = self.expect(0, "memory", "search", "fewer.safetensors", "--cue", "c.npy", "--similarity", "distance",
                           "--beta", 1, "--top", 1, "-o", "-").stdout.splitlines()
        self.assertEqual([json.loads(line)["hits"][0]["id"] for line in hits], ["p4", 'odd, "quoted"', "p11"])
        self.ask("dedup", "-o", "fewer.safetensors", status=1, error="give --force")
        self.ask("dedup", "-o", "m.safetensors", "--force", status=2, error="expected an output that is no input")

    def test_one_threshold_only(self):
        self.ask("dedup", "--distance", 1, "--cosine", 0.5, status=2, error="--cosine")

    def test_examples(self):
        self.run_examples("dedup")


class Influence(AskTest):
    def update(self, patterns, cue, beta):
        scores = [beta * dot(x, cue) for x in patterns]
        most = max(scores)
        terms = [math.exp(s - most) for s in scores]
        total = sum(terms)
        state = [sum(t * x[k] for t, x in zip(terms, patterns)) / total for k in range(DEPTH)]
        return state, most + math.log(total)

    def test_the_answer_is_what_a_memory_without_the_pattern_gives(self):
        for beta in (0.1, 1):
            lines = self.ask("influence", "--cue", "c.npy", "--beta", beta, "--top", 4, "-o", "-").stdout.splitlines()
            for line, cue in zip(lines, self.cues):
                state, lse = self.update(self.patterns, cue, beta)
                patterns = json.loads(line)["patterns"]
                self.assertEqual(len(patterns), 4)
                for p in patterns:
                    self.assertEqual(p["id"], self.ids[p["index"]])
                    rest = [x for i, x in enumerate(self.patterns) if i != p["index"]]
                    without, lse_without = self.update(rest, cue, beta)
                    self.assertAlmostEqual(p["state_shift"], math.dist(state, without), delta=1e-4)
                    self.assertAlmostEqual(p["energy_rise"], (lse - lse_without) / beta, delta=1e-4)

    def test_table_for_people(self):
        self.ask("influence", "--cue", "c.npy", "--beta", 1, "--top", 2,
                 output=r"cue +weight +state shift +energy rise  id\n +0 .*\n +0 .*\n +1 ")

    def test_examples(self):
        self.run_examples("influence")


class Advise(AskTest):
    def test_names_what_cannot_be_retrieved(self):
        patterns = [[1, 0, 0, 0], [0, 1, 0, 0], [3, 0.5, 0, 0], [0, 1, 0, 0]]
        self.write_npy("p.npy", sum(patterns, []), [4, 4], "<f8")
        self.write("ids.txt", "small\none\nlarge\ntwo\n")
        self.expect(0, "memory", "create", "p.npy", "--ids", "ids.txt", "-o", "m.safetensors", "--force")
        answer = json.loads(self.ask("advise", "--json").stdout)
        self.assertEqual([(s["id"], s["by"]) for s in answer["shadowed"]],
                         [("small", "large"), ("one", "two"), ("two", "one")])
        self.assertEqual(answer["num_shadowed"], 3)
        self.assertEqual(answer["duplicates"], [{"id": "two", "of": "one"}])
        self.assertEqual([s["separation"] for s in answer["separations"]], [-2, 0, 6.25, 0])
        self.ask("advise", output=r"shadowed +3 of 4 compared.*small +-2 +large")

    def test_a_list_tells_about_each_pattern(self):
        patterns = self.patterns + [self.patterns[5], [0.5 * v for v in self.patterns[3]]]
        self.write_npy("p.npy", sum(patterns, []), [32, DEPTH], "<f8")
        self.write("ids.txt", "\n".join(self.ids + ["again", "half"]) + "\n")
        self.expect(0, "memory", "create", "p.npy", "--ids", "ids.txt", "-o", "m.safetensors", "--force")
        self.ask("advise", "--patterns", "list.csv")
        with open(self.folder / "list.csv", newline="") as file:
            table = list(csv.DictReader(file))
        ids = self.ids + ["again", "half"]
        self.assertEqual([row["id"] for row in table], ids)
        norm_max = max(math.sqrt(dot(x, x)) for x in patterns)
        for i, (row, x) in enumerate(zip(table, patterns)):
            similarity, rival = max((dot(x, y), -j) for j, y in enumerate(patterns) if j != i)
            separation = dot(x, x) - similarity
            # the patterns were rounded to f32
            self.assertAlmostEqual(float(row["norm"]), math.sqrt(dot(x, x)), delta=1e-5)
            self.assertAlmostEqual(float(row["similarity"]), similarity, delta=1e-5)
            self.assertAlmostEqual(float(row["separation"]), separation, delta=1e-5)
            self.assertEqual(row["nearest"], ids[-rival])
            shadowed = float(row["separation"]) <= 0
            self.assertEqual(row["shadowed_by"], row["nearest"] if shadowed else "")
            if shadowed:
                self.assertEqual(row["beta_theorem"], "")
                continue
            beta = float(row["beta_theorem"])
            needed = 2 / (beta * 32) + math.log(2 * 31 * 32 * beta * norm_max ** 2) / beta
            self.assertLessEqual(needed, separation * (1 + 1e-5))
        self.assertEqual({row["id"]: row["duplicate_of"] for row in table if row["duplicate_of"]}, {"again": "p5"})
        named = {row["id"]: row["shadowed_by"] for row in table}
        self.assertEqual((named["again"], named["p5"]), ("p5", "again"))
        self.assertNotEqual(named["half"], "")
        self.ask("advise", "--patterns", "-", status=2, error="--patterns. expected a file, got -")

    def test_a_list_of_one_pattern_has_no_nearest(self):
        self.write_npy("p.npy", [3.0, 4.0], [1, 2])
        self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors", "--force")
        self.ask("advise", "--patterns", "list.csv")
        self.assertEqual((self.folder / "list.csv").read_text().splitlines()[1], "0,5,,,,0,,")

    def test_curves_go_to_csv_and_a_page(self):
        self.ask("advise", "--expect", "noisy", "--error", 0.2, "--csv", "c.csv", "--report", "r.html", "--svg", "p.svg",
                 "--json=a.json", output=r"beta, measured +\S+ \(measured.*noise \(length, in spreads\)")
        answer = json.loads((self.folder / "a.json").read_text())
        with open(self.folder / "c.csv", newline="") as file:
            table = list(csv.DictReader(file))
        for over, key, curve in (("beta", "beta", answer["over_beta"]), ("damage", "amount", answer["over_damage"])):
            rows = [row for row in table if row["over"] == over]
            self.assertEqual([float(row["value"]) for row in rows], [trial[key] for trial in curve])
            self.assertEqual([float(row["recovered"]) for row in rows], [trial["recovered"] for trial in curve])
        self.assertEqual([trial["amount"] for trial in answer["over_damage"]], [i / 5 for i in range(11)])
        self.assertAlmostEqual(answer["error"], 0.2 * answer["spread"])
        spread, norm, n = answer["spread"], answer["norm_max"], 30
        separations = sorted(s["separation"] for s in answer["separations"])
        place = 0.05 * 29
        low = separations[1] + (place - 1) * (separations[2] - separations[1])
        if low > 0:
            self.assertAlmostEqual(answer["beta_theorem_error"],
                                   math.log(2 * (n - 1) * norm / (0.2 * spread)) / low, places=6)
        self.assertIn("Patterns that cannot be retrieved", (self.folder / "r.html").read_text())
        self.assertTrue((self.folder / "p.svg").read_text().startswith("<"))

    def test_examples(self):
        self.run_examples("advise")


class Sources(AskTest):
    def test_fvecs_and_standard_input_hold_patterns_and_cues(self):
        data = b"".join(struct.pack(f"<i{DEPTH}f", DEPTH, *cue) for cue in self.cues)
        self.write("c.fvecs", data)
        wanted = self.ask("search", "--cue", "c.npy", "--beta", 1, "-o", "-").stdout
        self.assertEqual(self.ask("search", "--cue", "c.fvecs", "--beta", 1, "-o", "-").stdout, wanted)
        text = ",".join("abcdefgh") + "\n" + "".join(",".join(map(repr, cue)) + "\n" for cue in self.cues)
        self.write("c.csv", text)
        with open(self.folder / "c.csv") as file:
            self.assertEqual(self.ask("search", "--cue", "-", "--beta", 1, "-o", "-", stdin=file).stdout, wanted)
            file.seek(0)
            self.expect(0, "memory", "create", "-", "-o", "in.safetensors", output="3 patterns of depth 8", stdin=file)
            file.seek(0)
            self.expect(0, "memory", "add", "in.safetensors", "-", output="added 3 patterns, ids 3 to 5", stdin=file)
        twice = self.expect(0, "memory", "search", "in.safetensors", "--cue", "c.npy", "--beta", 1, "--similarity",
                            "distance", "--top", 2, "-o", "-").stdout.splitlines()
        self.assertEqual([[hit["id"] for hit in json.loads(line)["hits"]] for line in twice],
                         [["0", "3"], ["1", "4"], ["2", "5"]])
        self.write("named.csv", "name,a,b\nfirst,1,2\nsecond,3,4\n")
        with open(self.folder / "named.csv") as file:
            self.expect(0, "memory", "create", "-", "--id-column", "name", "-o", "named.safetensors", stdin=file)
        self.expect(0, "memory", "forget", "named.safetensors", "--id", "second", output="forgot 1 pattern")
        self.write("bad.csv", "a,b\n1,2\n3,x\n")
        with open(self.folder / "bad.csv") as file:
            self.expect(3, "memory", "create", "-", "-o", "bad.safetensors", error="line 3, column 'b'", stdin=file)
        self.expect(0, "memory", "create", "c.fvecs", "-o", "f.safetensors", output="3 patterns of depth 8")
        self.write("cut.fvecs", data[:-1])
        self.ask("search", "--cue", "cut.fvecs", status=3, error="'cut.fvecs': expected vectors of depth 8, 36 bytes")
        self.write("none.fvecs", b"")
        self.ask("search", "--cue", "none.fvecs", status=3, error="expected vectors, got an empty file")


if __name__ == "__main__":
    unittest.main()
