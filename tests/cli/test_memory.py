"""hopfield memory: what it computes, what it writes, and how it fails."""

import csv
import gzip
import json
import math
import os
import pty
import random
import resource
import signal
import struct
import subprocess
import time
import unittest
import zlib

from support import PROGRAM, ProgramTest, npy_bytes, read_npy, read_safetensors, wait_until_it_handles

PATTERNS = [1.0, 0.0, 0.0, 0.5,
            0.0, 2.0, 0.0, -0.5,
            0.0, 0.0, 1.5, 0.25]
DEPTH = 4
CUES = [0.9, 0.1, -0.1, 0.4,
        0.1, 1.0, 0.2, 0.0]


def rows(flat, depth):
    return [flat[i:i + depth] for i in range(0, len(flat), depth)]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def associate(patterns, state, beta):
    """Weights, updated state and energy of one state: the formulas, in double."""
    scores = [beta * dot(x, state) for x in patterns]
    top = max(scores)
    terms = [math.exp(s - top) for s in scores]
    total = sum(terms)
    weights = [t / total for t in terms]
    new = [sum(w * x[k] for w, x in zip(weights, patterns)) for k in range(len(state))]
    lse = top + math.log(total)
    norm = max(dot(x, x) for x in patterns)
    energy = (-lse + math.log(len(patterns))) / beta + dot(state, state) / 2 + norm / 2
    return weights, new, energy


class MemoryTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_npy("p.npy", PATTERNS, [3, DEPTH])
        self.write_npy("c.npy", CUES, [2, DEPTH])

    def create(self, *options):
        return self.expect(0, "memory", "create", "p.npy", "-o", "m.safetensors", *options)

    def recall(self, *options, status=0, **more):
        return self.expect(status, "memory", "recall", "m.safetensors", "--cue", "c.npy", *options, **more)

    def recall_json(self, *options, status=0, **more):
        return json.loads(self.recall(*options, "--json", "-", status=status, **more).stdout)


class Create(MemoryTest):
    def test_writes_a_plain_safetensors_file(self):
        result = self.create()
        self.assertRegex(result.stdout, r"^m.safetensors: 3 patterns of depth 4, f32, \d+ bytes\n$")
        metadata, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(metadata["format"], "hopfield.memory")
        self.assertEqual(metadata["version"], "1")
        dtype, shape, data = tensors["patterns"]
        self.assertEqual((dtype, shape), ("F32", [3, DEPTH]))
        self.assertEqual(list(struct.unpack("<12f", data)), PATTERNS)
        self.assertEqual(metadata["crc32.patterns"], f"{zlib.crc32(data):08x}")

    def test_the_header_checksum_is_as_documented(self):
        self.create()
        data = (self.folder / "m.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = data[8:8 + length]
        stored = json.loads(header)["__metadata__"]["crc32.header"].encode()
        self.assertEqual(header.count(stored), 1)
        self.assertEqual(f"{zlib.crc32(header.replace(stored, b'00000000')):08x}".encode(), stored)
        self.assertEqual((8 + length) % 64, 0)

    def test_half_precision_types(self):
        for dtype, name in (("bf16", "BF16"), ("f16", "F16")):
            self.create("--dtype", dtype, "--force")
            _, tensors = read_safetensors(self.folder / "m.safetensors")
            self.assertEqual(tensors["patterns"][0], name)
            self.assertEqual(len(tensors["patterns"][2]), 24)
        # f16 of exact numbers
        self.assertEqual(list(struct.unpack("<12e", tensors["patterns"][2])), PATTERNS)

    def test_csv_with_names(self):
        text = "name,a,b\nred,1,2\ngreen,3,4.5\n"
        self.write("t.csv", text)
        self.write("t.csv.gz", gzip.compress(text.encode()))
        self.write("t.tsv", text.replace(",", "\t"))
        for source in ("t.csv", "t.csv.gz", "t.tsv"):
            self.expect(0, "memory", "create", source, "--id-column", "name", "-o", "t.safetensors", "--force")
            _, tensors = read_safetensors(self.folder / "t.safetensors")
            self.assertEqual(list(struct.unpack("<4f", tensors["patterns"][2])), [1, 2, 3, 4.5])
            self.assertEqual(tensors["ids.bytes"][2], b"redgreen")
            self.assertEqual(list(struct.unpack("<3q", tensors["ids.offsets"][2])), [0, 3, 8])

    def test_ids_from_a_file(self):
        self.write("ids.txt", "one\ntwo\r\ndrei \u00fc\n")
        self.create("--ids", "ids.txt")
        _, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(tensors["ids.bytes"][2].decode(), "onetwodrei \u00fc")

    def test_dimensions_after_the_first_are_flattened(self):
        self.write_npy("p.npy", list(range(12)), [2, 3, 2], "<i8")
        result = self.create()
        self.assertIn("2 patterns of depth 6", result.stdout)

    def test_refuses_to_overwrite(self):
        self.create()
        before = (self.folder / "m.safetensors").read_bytes()
        self.write_npy("p.npy", [1, 2], [1, 2])
        self.expect(1, "memory", "create", "p.npy", "-o", "m.safetensors",
                    error=r"'m.safetensors': the file exists; give --force to replace it")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)
        self.create("--force")
        self.assertNotEqual((self.folder / "m.safetensors").read_bytes(), before)

    def test_the_same_input_gives_the_same_bytes(self):
        self.create()
        first = (self.folder / "m.safetensors").read_bytes()
        self.create("--force")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), first)

    def test_bad_input_is_named_and_writes_nothing(self):
        nan, infinity = float("nan"), float("inf")
        self.write_npy("nan.npy", [1, 2, 3, nan], [2, 2])
        self.write_npy("inf.npy", [1, infinity], [1, 2])
        self.write_npy("flat.npy", [1, 2, 3], [3])
        self.write_npy("nodepth.npy", [], [3, 0])
        self.write("short.npy", npy_bytes([1, 2, 3, 4], [2, 2])[:-1])
        self.write("text.npy", "these are no numbers at all")
        self.write("nan.csv", "x,y\n1,2\n3,nan\n")
        self.write("gap.csv", "x,y\n1,2\n3,\n")
        self.write("word.csv", "x,y\n1,2\n3,four\n")
        self.write("ragged.csv", "x,y\n1,2\n3\n")
        self.write("twice.csv", "x,x\n1,2\n")
        self.write("cut.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 1000)[:-9])
        self.write("big.csv", "x\n1e300\n")
        self.write("ids.txt", "a\nb\n")
        self.write("same.txt", "a\nb\na\n")
        self.write("p.txt.zip", "PK")
        before = self.names()
        for arguments, status, message in [
            (["nan.npy"], 3, r"'nan.npy', row 1, column 1 \(counted from 0\): expected a finite number, got NaN"),
            (["inf.npy"], 3, r"'inf.npy', row 0, column 1 .*got an infinity"),
            (["flat.npy"], 3, r"'flat.npy': expected numbers of shape \[rows, depth\], got \[3\]; reshape it"),
            (["nodepth.npy"], 3, r"'nodepth.npy': expected numbers of shape \[rows, depth\], got \[3, 0\]"),
            (["short.npy"], 3, r"'short.npy': expected 16 bytes .*got 15; the file may be truncated"),
            (["text.npy"], 3, r"'text.npy': expected an NPY file"),
            (["nan.csv"], 3, r"'nan.csv', line 3, column 'y' \(row 2\): expected a finite number, got 'nan'"),
            (["gap.csv"], 3, r"'gap.csv', line 3, column 'y' \(row 2\): .*got an empty cell"),
            (["word.csv"], 3, r"'word.csv', line 3, column 'y' \(row 2\): .*got 'four'"),
            (["ragged.csv"], 3, r"'ragged.csv', line 3: expected 2 cells"),
            (["twice.csv"], 3, r"'twice.csv', line 1: expected each column name once"),
            (["cut.csv.gz"], 3, r"'cut.csv.gz': the gzip data ends too early"),
            (["big.csv"], 3, r"'big.csv', row 1, column 'x': expected a number within the range of f32"),
            (["p.npy", "--ids", "ids.txt"], 3, r"'ids.txt': expected 3 lines, one a pattern, got 2"),
            (["p.npy", "--ids", "same.txt"], 3, r"id 3: expected each id once, got 'a'"),
            (["p.npy", "--ids", "missing.txt"], 1, r"'missing.txt': no such file"),
            (["word.csv", "--id-column", "z"], 2, r"expected a column 'z', got only 'x', 'y'"),
            (["p.npy", "--id-column", "z"], 2, r"expected a CSV or TSV file, got 'p.npy'"),
            (["missing.npy"], 1, r"cannot read 'missing.npy': no such file or folder"),
            (["missing.csv"], 1, r"cannot read 'missing.csv': no such file or folder"),
            (["p.txt.zip"], 2, r"expected a file named .npy, .csv"),
            (["p.npy", "--dtype", "f31"], 2, r"--dtype: f31 not in"),
        ]:
            with self.subTest(arguments):
                self.expect(status, "memory", "create", *arguments, "-o", "new.safetensors",
                            error="hopfield: error: .*" + message)
                self.assertEqual(self.names(), before)

    def test_bad_outputs_are_named(self):
        for output, status, message in [
            ("no/folder/m.safetensors", 1, r"the folder 'no/folder/' does not exist"),
            (".", 2, r"expected a file to write, got the folder"),
            ("p.npy", 2, r"expected an output that is no input and no other output, got 'p.npy'"),
        ]:
            with self.subTest(output):
                self.expect(status, "memory", "create", "p.npy", "-o", output, "--force", error=message)
        self.assertEqual(self.names(), ["c.npy", "p.npy"])

    def test_no_output_replaces_another_one(self):
        self.expect(2, "memory", "create", "p.npy", "-o", "m.safetensors", "--json=m.safetensors",
                    error="no input and no other output, got 'm.safetensors' for both")
        self.create()
        before = self.names()
        for command, *options in [
            ["export", "-o", "x.npy", "--metadata", "x.npy"],
            ["export", "-o", "x.npy", "--json=x.npy"],
            ["dedup", "-o", "x", "--list", "x"],
            ["advise", "--csv", "x", "--report", "x"],
            ["advise", "--json=x", "--patterns", "x"],
            ["ood", "score", "--cue", "c.npy", "-o", "x", "--json=x"],
        ]:
            nouns = [command] + ([options.pop(0)] if command == "ood" else [])
            with self.subTest((nouns, options)):
                self.expect(2, "memory", *nouns, "m.safetensors", *options,
                            error="no input and no other output, got 'x[.npy]*' for both; choose another name")
                self.assertEqual(self.names(), before)

    def test_a_first_line_of_numbers_is_told_to_name_columns(self):
        self.write("bare.csv", "1,2,3\n4,5,6\n")
        self.expect(0, "memory", "create", "bare.csv", "-o", "bare.safetensors", output="1 patterns of depth 3",
                    error=r"^hopfield: 'bare.csv': the first line, all numbers, names the columns; if it is a row, put "
                    "a line of names before it\n$")
        self.write("named.csv", "1,2,c\n4,5,6\n")
        self.expect(0, "memory", "create", "named.csv", "-o", "named.safetensors")

    def test_an_empty_memory_can_be_made_but_not_recalled(self):
        self.write_npy("p.npy", [], [0, DEPTH])
        self.create()
        self.assertEqual(json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--json").stdout)
                         ["num_patterns"], 0)
        self.expect(0, "memory", "stat", "m.safetensors", output="0 of depth 4")
        self.recall(status=3, error=r"'m.safetensors': expected a memory with patterns, got an empty one")


class Recall(MemoryTest):
    KEYS = ["memory", "num_patterns", "depth", "where", "what", "similarity", "beta", "beta_source", "updates", "eps",
            "threshold", "hopfield", "results", "num_cues", "num_converged"]
    RESULT_KEYS = ["cue", "steps", "stop", "converged", "energy", "energy_cue", "lse", "entropy",
                   "metastable_size", "regime", "match_energy", "match", "largest", "top", "state"]

    def setUp(self):
        super().setUp()
        self.write("ids.txt", "a\nb\nc\n")
        self.create("--ids", "ids.txt")

    def test_json_has_the_documented_keys_in_order(self):
        answer = self.recall_json("--beta", "4")
        self.assertEqual(list(answer), self.KEYS)
        for result in answer["results"]:
            self.assertEqual(list(result), self.RESULT_KEYS)
            self.assertEqual(list(result["top"][0]), ["id", "index", "weight"])

    def test_n_updates_are_the_formula_applied_n_times(self):
        beta = 1.7
        patterns = rows(PATTERNS, DEPTH)
        for updates in (1, 2, 5):
            answer = self.recall_json("--beta", beta, "--updates", updates, "--eps", "1e-12")
            self.assertEqual(answer["updates"], updates)
            self.assertIsNone(answer["num_converged"])
            for cue, result in zip(rows(CUES, DEPTH), answer["results"]):
                state, energies = cue, []
                for _ in range(updates):
                    weights, state, energy = associate(patterns, state, beta)
                    energies.append(energy)
                self.assertEqual(result["steps"], updates)
                self.assertIsNone(result["converged"])
                for got, wanted in zip(result["state"], state):
                    self.assertAlmostEqual(got, wanted, delta=1e-5)
                self.assertAlmostEqual(result["energy_cue"], energies[0], delta=1e-5)
                self.assertAlmostEqual(result["energy"], energies[-1], delta=1e-5)
                order = sorted(range(3), key=lambda i: -weights[i])
                self.assertEqual([t["index"] for t in result["top"]], order)
                self.assertEqual([t["id"] for t in result["top"]], ["abc"[i] for i in order])
                for t in result["top"]:
                    self.assertAlmostEqual(t["weight"], weights[t["index"]], delta=1e-6)
                self.assertEqual(result["largest"], result["top"][0]["weight"])
                held, size = 0.0, 0
                while held < 0.9:
                    held += weights[order[size]]
                    size += 1
                self.assertEqual(result["metastable_size"], size)
                entropy = -sum(w * math.log(w) for w in weights)
                self.assertAlmostEqual(result["entropy"], entropy, delta=1e-5)

    def test_another_similarity_is_its_formula(self):
        beta = 1.7

        def cosine(x, y):
            return dot(x, y) / math.sqrt(dot(x, x) * dot(y, y))

        def distance(x, y):
            return -sum((a - b) ** 2 for a, b in zip(x, y))

        patterns = rows(PATTERNS, DEPTH)
        for name, similarity in (("cosine", cosine), ("distance", distance)):
            answer = self.recall_json("--beta", beta, "--updates", "1", "--similarity", name)
            self.assertEqual(answer["similarity"], name)
            for cue, result in zip(rows(CUES, DEPTH), answer["results"]):
                terms = [math.exp(beta * similarity(x, cue)) for x in patterns]
                for t in result["top"]:
                    self.assertAlmostEqual(t["weight"], terms[t["index"]] / sum(terms), delta=1e-6)
                for k, got in enumerate(result["state"]):
                    wanted = sum(w * x[k] for w, x in zip(terms, patterns)) / sum(terms)
                    self.assertAlmostEqual(got, wanted, delta=1e-5)
                if name == "cosine":  # its update descends no energy
                    self.assertIsNone(result["energy"])
                    self.assertIsNone(result["energy_cue"])
                else:
                    self.assertAlmostEqual(result["energy"], -math.log(sum(terms) / 3) / beta, delta=1e-5)
        self.assertRegex(self.recall("--beta", beta, "--similarity", "cosine", "--updates", "1").stdout,
                         r"beta +1.7 \(given\), similarity cosine\n(.*\n)+ +0 +1  step-limit +-  ")
        self.recall("--similarity", "cosine", "--threshold", "t.json", status=2,
                    error="--similarity.*expected dot with --threshold")

    def test_converges_to_a_fixed_point_below_the_cue(self):
        beta = 6.0
        answer = self.recall_json("--beta", beta)
        self.assertEqual(answer["num_converged"], 2)
        for result in answer["results"]:
            self.assertTrue(result["converged"])
            self.assertEqual(result["stop"], "converged")
            self.assertLessEqual(result["energy"], result["energy_cue"] + 1e-6)
            _, again, _ = associate(rows(PATTERNS, DEPTH), result["state"], beta)
            for a, b in zip(result["state"], again):
                self.assertAlmostEqual(a, b, delta=2e-3)
        self.assertEqual([r["top"][0]["id"] for r in answer["results"]], ["a", "b"])

    def test_states_are_written_as_npy(self):
        self.recall("--beta", "4", "-o", "s.npy", "--json", "r.json")
        shape, numbers = read_npy(self.folder / "s.npy")
        self.assertEqual(shape, (2, DEPTH))
        answer = json.loads((self.folder / "r.json").read_text())
        for got, wanted in zip(numbers, sum((r["state"] for r in answer["results"]), [])):
            self.assertEqual(got, struct.unpack("f", struct.pack("f", wanted))[0])

    def test_every_form_of_output_tells_what_json_tells(self):
        options = ["--beta", "4", "--top", "2"]
        results = self.recall_json(*options)["results"]
        lines = self.recall(*options, "-o", "-").stdout
        self.assertEqual([json.loads(line) for line in lines.splitlines()], results)
        self.recall(*options, "-o", "s.jsonl", output="associations")
        self.assertEqual((self.folder / "s.jsonl").read_text(), lines)
        for name, delimiter in (("s.csv", ","), ("s.tsv", "\t")):
            self.recall(*options, "-o", name)
            with open(self.folder / name, newline="") as file:
                table = list(csv.DictReader(file, delimiter=delimiter))
            self.assertEqual(list(table[0]),
                             ["cue", "updates", "stop", "energy", "largest", "metastable_size", "regime", "id_1", "weight_1",
                              "id_2", "weight_2"] + [f"state_{k}" for k in range(1, DEPTH + 1)])
            self.assertEqual(len(table), len(results))
            for row, result in zip(table, results):
                self.assertEqual((row["cue"], row["updates"]), (str(result["cue"]), str(result["steps"])))
                for key in ("stop", "regime"):
                    self.assertEqual(row[key], result[key])
                for key in ("energy", "largest", "metastable_size"):
                    self.assertEqual(float(row[key]), result[key])
                for rank, hit in enumerate(result["top"], 1):
                    self.assertEqual((row[f"id_{rank}"], float(row[f"weight_{rank}"])), (hit["id"], hit["weight"]))
                self.assertEqual([float(row[f"state_{k}"]) for k in range(1, DEPTH + 1)], result["state"])

    def test_a_table_leaves_cells_empty_that_cannot_be_told(self):
        self.recall("--beta", "4", "--similarity", "cosine", "-o", "s.csv")
        with open(self.folder / "s.csv", newline="") as file:
            self.assertEqual([row["energy"] for row in csv.DictReader(file)], ["", ""])

    def test_a_recalled_table_of_many_cues_is_streamed_whole(self):
        self.write_npy("c.npy", CUES * 300, [600, DEPTH])
        self.recall("--beta", "4", "-o", "s.csv", output=r"\.\.\. 580 more; -o FILE or --json FILE has them all")
        with open(self.folder / "s.csv", newline="") as file:
            self.assertEqual([row["cue"] for row in csv.DictReader(file)], [str(i) for i in range(600)])

    def test_the_same_run_gives_the_same_bytes_with_any_number_of_threads(self):
        outputs = {self.recall("--json", "-", "--threads", n).stdout for n in (1, 2, 7)}
        self.assertEqual(len(outputs), 1)

    def test_a_row_does_not_see_its_neighbours(self):
        many = [CUES[(i % 2) * DEPTH + k] for i in range(700) for k in range(DEPTH)]
        self.write_npy("c.npy", many, [700, DEPTH])
        results = self.recall_json("--beta", "3")["results"]
        for i, result in enumerate(results):
            self.assertEqual(dict(result, cue=0), dict(results[i % 2], cue=0))

    def test_one_cue_and_tables_as_cues(self):
        batch = self.recall_json("--beta", "3")["results"]
        self.write_npy("c.npy", CUES[:DEPTH], [DEPTH])
        self.assertEqual(self.recall_json("--beta", "3")["results"], batch[:1])
        self.write("c.csv", "a,b,c,d\n" + ",".join(map(str, CUES[:DEPTH])) + "\n")
        answer = self.expect(0, "memory", "recall", "m.safetensors", "--cue", "c.csv", "--beta", "3", "--json", "-")
        self.assertEqual(json.loads(answer.stdout)["results"], batch[:1])

    def test_no_cue_is_no_error(self):
        self.write_npy("c.npy", [], [0, DEPTH])
        self.assertEqual(self.recall_json("--beta", "3")["results"], [])

    def test_half_precision_memories_recall_what_they_hold(self):
        exact = self.recall_json("--beta", "4")["results"]
        for dtype in ("bf16", "f16"):
            self.create("--ids", "ids.txt", "--dtype", dtype, "--force")
            for a, b in zip(exact, self.recall_json("--beta", "4")["results"]):
                for x, y in zip(a["state"], b["state"]):  # these patterns are exact in both types
                    self.assertAlmostEqual(x, y, delta=1e-5)

    def test_auto_is_the_beta_that_stat_recommends(self):
        answer = self.recall_json()
        stat = json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--json").stdout)
        self.assertEqual(answer["beta"], stat["advice"]["beta"])
        self.assertEqual(answer["beta_source"], stat["advice"]["source"])
        self.assertGreater(answer["beta"], 0)

    def test_shadowed_patterns_are_told_with_what_recalls_them(self):
        self.write_npy("p.npy", [1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0], [3, DEPTH])
        self.create("--force")
        self.write_npy("c.npy", [1, 0, 0, 0], [1, DEPTH])
        said = r"2 of 3 compared \(recall --similarity distance tells all but equal ones apart\)"
        answer = self.recall("--json", "-", error=f"^hopfield: no beta recalls patterns whose scalar product .*: {said}\n$")
        self.assertEqual(json.loads(answer.stdout)["results"][0]["top"][0]["index"], 2)
        self.assertEqual(self.recall_json("--similarity", "distance")["results"][0]["top"][0]["index"], 0)
        self.recall("--beta", "1")  # a beta of one's own is not judged
        self.expect(0, "memory", "stat", "m.safetensors", output="shadowed by another are " + said)
        self.expect(0, "memory", "advise", "m.safetensors", output="shadowed +" + said)

    def test_auto_stands_the_damage_it_was_told_to_expect(self):
        rng = random.Random(3)
        depth, count = 64, 300
        patterns = [float(rng.choice((-1, 1))) for _ in range(count * depth)]
        self.write_npy("p.npy", patterns, [count, depth])
        self.create("--force")
        cues = rows(patterns, depth)[:50]
        for expect, damage in (("hidden", lambda x: [v if rng.random() < 0.55 else 0.0 for v in x]),
                               ("covered", lambda x: x[:depth // 2] + [0.0] * (depth // 2)),
                               ("noisy", lambda x: [v + rng.gauss(0, 0.4) for v in x])):
            self.write_npy("c.npy", sum(map(damage, cues), []), [50, depth])
            answer = self.recall_json("--expect", expect)
            self.assertEqual(answer["beta_source"], "measured", expect)
            found = sum(r["top"][0]["index"] == i and r["largest"] > 0.5 for i, r in enumerate(answer["results"]))
            self.assertGreaterEqual(found, 40, expect)

    def test_table_for_people(self):
        text = self.recall("--beta", "4").stdout
        self.assertIn("m.safetensors: 3 patterns of depth 4", text)
        self.assertIn("4 (given)", text)
        self.assertRegex(text, r"\n +0 +\d+  converged .* a 0\.\d+, ")
        self.assertRegex(text, r"\n +1 +\d+  converged .* b ")

    def test_exits_4_when_a_state_does_not_converge_and_still_writes(self):
        result = self.recall("--beta", "1.1", "--cap", "1", "--eps", "1e-9", "-o", "s.npy", status=4,
                             error=r"hopfield: 2 of 2 states did not converge")
        self.assertIn("capped", result.stdout)
        self.assertTrue((self.folder / "s.npy").exists())
        # Asked for a number of updates, there is nothing to miss.
        self.recall("--beta", "1.1", "--updates", "1", "--eps", "1e-9")

    def test_bad_arguments_are_named(self):
        for options, status, message in [
            (["--beta", "abc"], 2, r"\[--beta\] expected a number > 0 within the range of f32 or 'auto', got 'abc'"),
            (["--beta", "-1"], 2, r"\[--beta\] expected a number > 0 .*, got '-1'"),
            (["--beta", "0"], 2, r"\[--beta\] expected a number > 0 .*, got '0'"),
            (["--beta", "1e39"], 2, r"\[--beta\] expected .* within the range of f32 .*, got '1e39'"),
            (["--beta", "1e-50"], 2, r"\[--beta\] expected .* within the range of f32 .*, got '1e-50'"),
            (["--beta", "nan"], 2, r"\[--beta\] expected a number > 0"),
            (["--beta", "inf"], 2, r"\[--beta\] expected a number > 0"),
            (["--beta", "1x"], 2, r"\[--beta\] expected a number > 0"),
            (["--updates", "0"], 2, r"\[--updates\] expected a whole number >= 1 or 'converge', got '0'"),
            (["--updates", "many"], 2, r"\[--updates\] expected a whole number >= 1 or 'converge', got 'many'"),
            (["--top", "0"], 2, r"--top: expected a whole number from 1 to 1000, got '0'"),
            (["--eps", "0"], 2, r"--eps: expected a number from 1e-12 to 1, got '0'"),
            (["--cap", "-2"], 2, r"--cap: expected a whole number >= 1, got '-2'"),
            (["--expect", "rain"], 2, r"--expect: rain not in"),
            (["--threads", "0"], 2, r"--threads: expected a whole number from 1 to 4096, got '0'"),
            (["-o", "states.txt"], 2, r"expected - or a name that ends in .npy, .csv, .tsv or .jsonl, got 'states.txt'"),
            (["-o", "-", "--json", "-"], 2, r"expected one of -o - and --json - at most, got both"),
            (["-o", "r.csv", "--json", "r.csv"], 2, r"an output that is no input and no other output, got 'r.csv'"),
            (["-o", "no/such/s.npy"], 1, r"the folder 'no/such/' does not exist"),
            (["--json", "no/such/r.json"], 1, r"the folder 'no/such/' does not exist"),
            (["--json", "m.safetensors"], 2, r"expected an output that is no input .*, got 'm.safetensors'"),
            (["-o", "c.npy"], 2, r"expected an output that is no input .*, got 'c.npy'"),
        ]:
            with self.subTest(options):
                self.recall(*options, status=status, error="hopfield: error: " + ".*" + message)
        self.assertEqual(self.names(), ["c.npy", "ids.txt", "m.safetensors", "p.npy"])

    def test_scores_beyond_f32_are_named(self):
        self.write_npy("p.npy", [1e3 * x for x in PATTERNS], [3, DEPTH])
        self.create("--force")
        message = "scores?.* choose a smaller (--)?beta or scale"
        self.recall("--beta", "3e38", status=2, error=message)
        self.expect(2, "memory", "complete", "m.safetensors", "--cue", "p.npy", "--beta", "3e38", error=message)
        self.expect(2, "memory", "search", "m.safetensors", "--cue", "p.npy", "--beta", "3e38", error=message)
        for scale, got in (1e20, "longer"), (1e-22, "shorter"):
            self.write_npy("p.npy", [scale * x for x in PATTERNS], [3, DEPTH])
            self.create("--force")
            self.recall(status=2, error=f"squares f32 holds, got {got} ones; scale them")

    def test_bad_files_are_named(self):
        self.write_npy("wide.npy", [1] * 5, [1, 5])
        self.write_npy("nan.npy", CUES[:7] + [float("nan")], [2, DEPTH])
        self.write("text.safetensors", "this is no memory")
        for memory, cue, status, message in [
            ("m.safetensors", "wide.npy", 3,
             r"'wide.npy': expected cues of depth 4 as the patterns of 'm.safetensors', got depth 5; leave a column"),
            ("m.safetensors", "nan.npy", 3,
             r"'nan.npy', row 1, column 3 \(counted from 0\): expected a finite number .*got NaN"),
            ("m.safetensors", "missing.npy", 1, r"cannot read 'missing.npy': no such file"),
            ("missing", "c.npy", 1, r"cannot read 'missing': no such file"),
            (".", "c.npy", 2, r"expected a file, got the folder '.'"),
            ("text.safetensors", "c.npy", 3, r"'text.safetensors': expected a safetensors file"),
            ("p.npy", "c.npy", 3, r"'p.npy': expected a safetensors file"),
        ]:
            with self.subTest((memory, cue)):
                self.expect(status, "memory", "recall", memory, "--cue", cue, "--beta", "1",
                            error="hopfield: error: .*" + message)


class Stat(MemoryTest):
    def setUp(self):
        super().setUp()
        self.create()

    def test_json_describes_the_memory(self):
        stat = json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--json").stdout)
        self.assertEqual(list(stat), ["path", "num_patterns", "depth", "dtype", "bytes", "tombstones", "changes", "version",
                                      "has_ids", "has_metadata", "has_values", "norm", "spread", "distance_to_mean_max", "separation",
                                      "duplicates", "advice", "capacity"])
        self.assertEqual((stat["num_patterns"], stat["depth"], stat["dtype"]), (3, DEPTH, "f32"))
        self.assertEqual(stat["bytes"], (self.folder / "m.safetensors").stat().st_size)
        self.assertEqual((stat["tombstones"], stat["changes"], stat["version"], stat["has_ids"]), (0, 0, 1, False))
        patterns = rows(PATTERNS, DEPTH)
        norms = [math.sqrt(dot(x, x)) for x in patterns]
        self.assertAlmostEqual(stat["norm"]["min"], min(norms))
        self.assertAlmostEqual(stat["norm"]["max"], max(norms))
        separations = sorted(dot(x, x) - max(dot(x, y) for y in patterns if y is not x) for x in patterns)
        self.assertAlmostEqual(stat["separation"]["min"], separations[0])
        self.assertAlmostEqual(stat["separation"]["median"], separations[1])
        self.assertEqual(stat["duplicates"], {"count": 0, "listed": []})
        self.assertGreater(stat["advice"]["beta"], 0)
        betas = [trial["beta"] for trial in stat["advice"]["trials"]]
        self.assertEqual(betas, sorted(betas))
        self.assertIn(stat["advice"]["beta"], betas)

    def test_duplicates_are_listed_by_id(self):
        self.write_npy("p.npy", PATTERNS[:4] * 2 + PATTERNS[4:8], [3, DEPTH])
        self.write("ids.txt", "a\nagain\nb\n")
        self.create("--ids", "ids.txt", "--force")
        stat = json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--json").stdout)
        self.assertEqual(stat["duplicates"], {"count": 1, "listed": [{"id": "again", "of": "a"}]})
        self.assertEqual(stat["separation"]["num_shadowed"], 2)

    def test_quick_reads_the_header_only(self):
        data = bytearray((self.folder / "m.safetensors").read_bytes())
        data[-1] ^= 1
        self.write("m.safetensors", bytes(data))
        self.expect(0, "memory", "stat", "m.safetensors", "--quick", output="3 of depth 4, f32")
        self.expect(3, "memory", "stat", "m.safetensors", error="checksum of tensor 'patterns'")
        self.expect(3, "memory", "verify", "m.safetensors", error="checksum of tensor 'patterns'")
        self.recall("--beta", "1", "--verify", status=3, error="checksum of tensor 'patterns'")

    def test_json_to_a_file_keeps_the_table(self):
        self.expect(0, "memory", "stat", "m.safetensors", "--quick", "--json=s.json", output="patterns")
        self.assertEqual(json.loads((self.folder / "s.json").read_text())["depth"], DEPTH)
        # The flag never swallows the name of the memory.
        self.expect(0, "memory", "stat", "--json", "m.safetensors", output=r'"num_patterns": 3')

    def test_one_pattern(self):
        self.write_npy("p.npy", PATTERNS[:DEPTH], [1, DEPTH])
        self.create("--force")
        stat = json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--json").stdout)
        self.assertEqual(stat["advice"]["source"], "single")
        self.assertIsNone(stat["separation"]["min"])  # infinite
        self.expect(0, "memory", "stat", "m.safetensors")
        self.recall()

    def test_verify(self):
        self.expect(0, "memory", "verify", "m.safetensors", output="all checksums fit")

    def test_damage_is_found(self):
        whole = (self.folder / "m.safetensors").read_bytes()
        for position in (0, 9, 60, 200):
            data = bytearray(whole)
            data[position] ^= 4
            self.write("bad.safetensors", bytes(data))
            self.expect(3, "memory", "stat", "bad.safetensors", "--quick", error="'bad.safetensors'")
        for size in (0, 7, 8, 100, len(whole) - 1):
            self.write("cut.safetensors", whole[:size])
            self.expect(3, "memory", "stat", "cut.safetensors", "--quick", error="'cut.safetensors'")


class Examples(MemoryTest):
    def test_every_example_of_the_help_runs(self):
        for command in ("create", "recall", "stat", "verify"):
            for example in self.examples_of("memory", command):
                with self.subTest(example):
                    for path in self.folder.iterdir():
                        path.unlink()
                    self.write_npy("patterns.npy", PATTERNS, [3, DEPTH])
                    self.write_npy("cue.npy", CUES, [2, DEPTH])
                    self.write("threshold.json", json.dumps({"format": "hopfield.threshold", "num_patterns": 3, "depth": DEPTH,
                                                             "beta": 8, "energy": 1, "false_recall_bound": 0.1,
                                                             "num_held_back": 9}))
                    self.write("names.txt", "a\nb\nc\n")
                    self.write_npy("values.npy", [1, 2, 3], [3, 1])
                    self.write("about.jsonl", '{"year":2019}\n{}\n{}\n')
                    self.write("table.csv", "name,x,y\na,1,2\nb,3,4\n")
                    if command != "create":
                        self.expect(0, "memory", "create", "patterns.npy", "-o", "memory.safetensors")
                    self.expect(0, *example)


class Faults(MemoryTest):
    """Whatever happens, a file is there complete or not at all."""

    COUNT, WIDE = 40000, 64

    def write_large(self):
        rng = random.Random(1)
        row = [rng.uniform(-1, 1) for _ in range(self.WIDE)]
        self.write("large.npy", npy_bytes(row * self.COUNT, [self.COUNT, self.WIDE]))

    def expect_all_or_nothing(self, before):
        names = self.names()
        self.assertIn(names, (before, sorted(before + ["out.safetensors"])))
        if "out.safetensors" in names:
            self.expect(0, "memory", "verify", "out.safetensors", output=f"{self.COUNT} patterns")
            (self.folder / "out.safetensors").unlink()

    def test_killed_at_any_moment(self):
        self.write_large()
        before = self.names()
        rng = random.Random(7)
        for sign in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            for _ in range(12):
                process = subprocess.Popen([PROGRAM, "memory", "create", "large.npy", "-o", "out.safetensors"],
                                           cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                           text=True)
                time.sleep(rng.uniform(0.0, 0.12))
                process.send_signal(sign)
                _, error = process.communicate(timeout=60)
                # -sign: before the program had set up its handler
                self.assertIn(process.returncode, (0, 130, -sign), error)
                self.expect_all_or_nothing(before)

    def test_an_interrupt_exits_130_and_writes_nothing(self):
        os.mkfifo(self.folder / "slow.csv")
        before = self.names()
        for sign in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([PROGRAM, "memory", "create", "slow.csv", "-o", "out.safetensors"],
                                       cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with open(self.folder / "slow.csv", "w") as pipe:  # returns when the program has opened it
                pipe.write("x,y\n1,2\n")
                process.send_signal(sign)
                time.sleep(0.05)
                pipe.write("3,4\n")
            output, error = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, output + error)
            self.assertRegex(error, r"^hopfield: error: .*interrupted")
            self.assertEqual(self.names(), before)

    def test_an_interrupt_during_a_long_recall_ends_it(self):
        self.write_large()
        self.expect(0, "memory", "create", "large.npy", "-o", "m.safetensors")
        # Two passes of 20,000 cues over 40,000 patterns: 2e11 operations, so it is still at work.
        self.write("c.npy", npy_bytes([0.5] * (self.WIDE * 20000), [20000, self.WIDE]))
        before = self.names()
        process = subprocess.Popen([PROGRAM, "memory", "recall", "m.safetensors", "--cue", "c.npy", "--beta", "0.001",
                                    "--json", "r.json"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until_it_handles(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, output + error)
        self.assertRegex(error, r"^hopfield: error: .*interrupted; nothing was written\n$")
        self.assertEqual(self.names(), before)

    def test_no_space_left_by_the_size_limit(self):
        self.write_large()
        before = self.names()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        for name, force in (("out.safetensors", []), ("p.npy.safetensors", ["--force"])):
            old = None
            if force:
                self.expect(0, "memory", "create", "p.npy", "-o", name)
                old = (self.folder / name).read_bytes()
                before = self.names()
            self.expect(1, "memory", "create", "large.npy", "-o", name, *force, preexec_fn=limit,
                        error=r"cannot write '.*': no space left .*; nothing was changed; free some space")
            self.assertEqual(self.names(), before)
            if old is not None:
                self.assertEqual((self.folder / name).read_bytes(), old)

    def test_no_space_left_on_a_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("needs the right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.write_large()
        self.expect(1, "memory", "create", "large.npy", "-o", "disk/out.safetensors",
                    error=r"cannot write 'disk/out.safetensors': no space left on the device; nothing was changed")
        self.assertEqual(list(disk.iterdir()), [])
        self.expect(0, "memory", "create", "p.npy", "-o", "disk/out.safetensors")
        filler = disk / "filler"
        try:
            with open(filler, "wb") as file:
                while True:
                    file.write(b"\0" * 65536)
        except OSError:
            pass
        for options, name in ((["--json", "disk/r.json"], "disk/r.json"), (["-o", "disk/s.npy"], "disk/s.npy")):
            self.expect(1, "memory", "recall", "disk/out.safetensors", "--cue", "c.npy", "--beta", "1", *options,
                        error=f"cannot write '{name}': no space left on the device; nothing was changed")
        self.write_npy("more.npy", [1.0] * (DEPTH << 15), [1 << 15, DEPTH])  # half of the disk
        self.expect(1, "memory", "add", "disk/out.safetensors", "more.npy",
                    error="cannot change 'disk/out.safetensors': no space left on the device; free some space and try again")
        self.expect(0, "memory", "verify", "disk/out.safetensors", output="3 patterns of depth 4, all checksums fit")
        self.assertEqual(sorted(path.name for path in disk.iterdir()), ["filler", "out.safetensors"])
        filler.unlink()

    def test_devices_are_written_in_place(self):
        self.create()
        self.recall("--beta", "1", "--json", "/dev/null")
        self.assertTrue(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"))
        if os.path.exists("/dev/full"):
            self.recall("--beta", "1", "--json", "/dev/full", status=1, error="no space left on the device")

    def test_a_folder_that_may_not_be_written(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anywhere")
        closed = self.folder / "closed"
        closed.mkdir(mode=0o500)
        self.expect(1, "memory", "create", "p.npy", "-o", "closed/m.safetensors", error="permission denied")


class Terminal(MemoryTest):
    def shown(self, *arguments):
        """What a terminal gets on both streams."""
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([PROGRAM, "memory", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=other_end, stderr=other_end)
        os.close(other_end)
        text = b""
        try:
            while piece := os.read(terminal, 4096):
                text += piece
        except OSError:  # the other end is closed: the program has ended
            pass
        os.close(terminal)
        self.assertEqual(process.wait(timeout=60), 0, text)
        return text.decode()

    def test_progress_is_gone_before_anything_is_printed(self):
        text = self.shown("create", "p.npy", "-o", "m.safetensors")
        self.assertIn("storing 0/3", text)
        self.assertRegex(text, "\x1b\\[Km.safetensors: 3 patterns")
        first = "memory   m.safetensors"
        for command in ("recall", "search", "influence"):
            with self.subTest(command):
                text = self.shown(command, "m.safetensors", "--cue", "c.npy")
                self.assertRegex(text, "measuring beta 0/16")
                self.assertRegex(text, f"\x1b\\[K{first}")
                self.assertNotRegex(text, r"ing [a-z ]*\d+/\d+[^\d\r]")
        self.assertRegex(self.shown("stat", "m.safetensors"), "measuring beta 0/16.*\x1b\\[Kmemory ")


class Opening(MemoryTest):
    def test_opening_does_not_read_the_patterns(self):
        """A file of a gibibyte that is a hole: reading it would take long, its header does not."""
        self.create()
        data = (self.folder / "m.safetensors").read_bytes()
        count = (1 << 30) // (4 * DEPTH)
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        header["patterns"] = {"dtype": "F32", "shape": [count, DEPTH], "data_offsets": [0, 1 << 30]}
        header["__metadata__"]["crc32.header"] = "00000000"
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % 64)
        text = text.replace(b'"crc32.header":"00000000"', b'"crc32.header":"%08x"' % zlib.crc32(text))
        with open(self.folder / "hole.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + (1 << 30))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.expect(0, "memory", "stat", "hole.safetensors", "--quick", output=f"{count} of depth 4")
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(max(before, after), 600 * 1024, "kibibytes in memory: the patterns were read")


if __name__ == "__main__":
    unittest.main()
