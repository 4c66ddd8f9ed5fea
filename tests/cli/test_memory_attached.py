"""Values and metadata beside patterns: kept by every command, recalled, asked by predicates, forgotten for good; and cues
that come in any number and from safetensors."""

import json
import math
import random
import re
import struct
import unittest

from support import ProgramTest, read_npy, read_safetensors

ABOUT = ['{"label":"cat","year":2019}', '{"label": "dog", "year": 2021}', '{"label":"cat","at":{"room":"7 \\"b\\""}}', "{}"]
PATTERNS = [[4, 0], [0, 4], [-4, 0], [0, -4]]
VALUES = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5]]


def safetensors_bytes(tensors):
    """A file of {name: (type, shape, struct code, numbers)}."""
    header, body = {}, b""
    for name, (dtype, shape, code, numbers) in tensors.items():
        data = struct.pack(f"<{len(numbers)}{code}", *numbers)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


class AttachedTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write_npy("p.npy", sum(PATTERNS, []), [4, 2])
        self.write_npy("v.npy", sum(VALUES, []), [4, 3])
        self.write("about.jsonl", "\n".join(ABOUT) + "\n")
        self.write("ids.txt", "a\nb\nc\nd\n")
        self.memory("create", "p.npy", "--ids", "ids.txt", "--values", "v.npy", "--metadata", "about.jsonl", "-o",
                    "m.safetensors")

    def memory(self, *arguments, status=0, **more):
        return self.expect(status, "memory", *arguments, **more)

    def told(self, *arguments, **more):
        return json.loads(self.memory(*arguments, "--json", **more).stdout)

    def recalled(self, *arguments):
        return json.loads(self.memory("recall", *arguments, "--json", "-").stdout)

    def contents(self, name="m.safetensors"):
        """[(id, pattern, value, metadata)] as export gives them; verify must agree."""
        self.memory("verify", name)
        self.memory("export", name, "-o", "x.npy", "--ids", "x.txt", "--values", "xv.npy", "--metadata", "x.jsonl", "--force")
        (count, depth), numbers = read_npy(self.folder / "x.npy")
        (_, wide), values = read_npy(self.folder / "xv.npy")
        ids = (self.folder / "x.txt").read_text().splitlines()
        about = (self.folder / "x.jsonl").read_text().splitlines()
        return [(ids[i], numbers[i * depth:(i + 1) * depth], values[i * wide:(i + 1) * wide], about[i]) for i in range(count)]

    def rows(self, *which):
        return [("abcd"[i], PATTERNS[i], VALUES[i], ABOUT[i]) for i in which]


class Kept(AttachedTest):
    def test_create_writes_them_and_stat_tells(self):
        self.assertEqual(self.contents(), self.rows(0, 1, 2, 3))
        stat = self.told("stat", "m.safetensors", "--quick")
        self.assertEqual((stat["version"], stat["has_values"], stat["values_depth"], stat["values_dtype"], stat["has_metadata"]),
                         (2, True, 3, "f32", True))
        self.memory("stat", "m.safetensors", "--quick", output="with ids, with metadata\nvalues +of depth 3, f32\n")
        metadata, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(metadata["version"], "2")
        self.assertEqual(tensors["values"][:2], ("F32", [4, 3]))
        self.assertEqual(tensors["metadata.bytes"][2].decode(), "".join(ABOUT))
        self.memory("create", "p.npy", "-o", "plain.safetensors")
        self.assertEqual(read_safetensors(self.folder / "plain.safetensors")[0]["version"], "1")
        self.memory("create", "p.npy", "--values", "v.npy", "--values-dtype", "bf16", "-o", "half.safetensors")
        self.assertEqual(read_safetensors(self.folder / "half.safetensors")[1]["values"][0], "BF16")

    def test_every_change_and_copy_keeps_them(self):
        self.write_npy("p1.npy", [1, 1], [1, 2])
        self.write_npy("v1.npy", [9, 9, 9], [1, 3])
        self.write("a1.jsonl", '{"label":"new"}\n')
        self.write("b.txt", "b\n")
        self.write("c.txt", "c\n")
        answer = self.told("add", "m.safetensors", "p1.npy", "--values", "v1.npy", "--metadata", "a1.jsonl")
        self.assertEqual((answer["added"], answer["memory"]["num_patterns"]), (["4"], 5))
        self.assertEqual(self.told("update", "m.safetensors", "p1.npy", "--ids", "b.txt")["updated"], ["b"])
        self.memory("update", "m.safetensors", "--ids", "c.txt", "--values", "v1.npy", output="updated 1 pattern; 5")
        self.memory("update", "m.safetensors", "--ids", "b.txt", "--metadata", "a1.jsonl")
        self.assertEqual(self.told("forget", "m.safetensors", "--id", "a")["forgotten"], ["a"])
        expected = [("b", [1, 1], VALUES[1], '{"label":"new"}'), ("c", PATTERNS[2], [9, 9, 9], ABOUT[2]), *self.rows(3),
                    ("4", [1, 1], [9, 9, 9], '{"label":"new"}')]
        self.assertEqual(self.contents(), expected)
        self.memory("export", "m.safetensors", "-o", "copy.safetensors")
        answer = self.told("compact", "m.safetensors")
        self.assertEqual((answer["memory"]["changes"], answer["memory"]["tombstones"]), (0, 0))
        self.assertGreater(answer["bytes_before"], answer["memory"]["bytes"])
        self.assertEqual(self.contents(), expected)
        self.assertEqual(self.contents("copy.safetensors"), expected)
        self.assertEqual(self.told("merge", "m.safetensors", "copy.safetensors", "--rename", "-o", "all.safetensors")["merged"],
                         ["m.safetensors", "copy.safetensors"])
        self.assertEqual([row[1:] for row in self.contents("all.safetensors")], [row[1:] for row in expected] * 2)
        self.memory("dedup", "m.safetensors", "-o", "fewer.safetensors", output="1 of 4 patterns")
        self.assertEqual(self.contents("fewer.safetensors"), expected[:3])

    def test_json_of_create_and_export_goes_to_a_file_beside_the_text(self):
        self.memory("create", "p.npy", "-o", "n.safetensors", "--json=n.json", output="n.safetensors: 4 patterns of depth 2")
        self.assertEqual(json.loads((self.folder / "n.json").read_text())["num_patterns"], 4)
        self.assertEqual(self.told("export", "n.safetensors", "-o", "n.npy"), {"output": "n.npy", "num_patterns": 4, "depth": 2})

    def test_bad_files_are_named_and_change_nothing(self):
        self.write("two.jsonl", "{}\n[2]\n{}\n{}\n")
        self.write("blank.jsonl", "{}\n\n{}\n{}\n")
        self.write("one.jsonl", "{}\n")
        self.write_npy("v1.npy", [1, 2, 3], [1, 3])
        self.write_npy("vnan.npy", [1, float("nan")] * 2, [4, 1])
        self.memory("create", "p.npy", "-o", "plain.safetensors")
        before = (self.folder / "m.safetensors").read_bytes()
        names = self.names()
        for arguments, status, message in [
            (["create", "p.npy", "--metadata", "two.jsonl", "-o", "x"], 3, r"'two.jsonl', line 2: expected a JSON object, got '\[2\]'"),
            (["create", "p.npy", "--metadata", "blank.jsonl", "-o", "x"], 3, "'blank.jsonl', line 2: expected a JSON object, got an error at byte 1"),
            (["create", "p.npy", "--metadata", "one.jsonl", "-o", "x"], 3, "'one.jsonl': expected 4 lines, one a pattern, got 1"),
            (["create", "p.npy", "--values", "v1.npy", "-o", "x"], 3, "'v1.npy': expected 4 rows, one a pattern, got 1"),
            (["create", "p.npy", "--values", "vnan.npy", "-o", "x"], 3, "'vnan.npy', row 1, column 0 .*got NaN"),
            (["create", "p.npy", "--values", "missing.npy", "-o", "x"], 1, "missing.npy"),
            (["add", "m.safetensors", "p.npy"], 3, "expected values, as 'm.safetensors' has them, got none"),
            (["add", "plain.safetensors", "p.npy", "--values", "v.npy"], 3, "expected no values, as 'plain.safetensors' has none"),
            (["add", "m.safetensors", "p.npy", "--values", "p.npy"], 3, "expected values of depth 3 .*got depth 2"),
            (["update", "m.safetensors", "--ids", "ids.txt"], 2, r"expected patterns, --values or --metadata to update, got none"),
            (["update", "m.safetensors", "--id-column", "x", "--values", "v.npy"], 2, r"expected patterns that have the column"),
            (["export", "plain.safetensors", "-o", "x.npy", "--values", "v2.npy"], 2, "expected a memory with values, got 'plain.safetensors'"),
            (["export", "m.safetensors", "-o", "x.safetensors", "--values", "v2.npy"], 2, "which holds values and metadata itself"),
            (["export", "m.safetensors", "-o", "x.npy", "--values", "v2.csv"], 2, "expected a name that ends in .npy, got 'v2.csv'"),
            (["merge", "m.safetensors", "plain.safetensors", "-o", "x"], 3, "values f32 of depth 3.*got f32 of depth 2"),
            (["recall", "plain.safetensors", "--cue", "p.npy", "--what", "values"], 2, "expected a memory with values"),
        ]:
            with self.subTest(arguments):
                self.memory(*arguments, status=status, error="hopfield: error: .*" + message)
                self.assertEqual(self.names(), names)
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)


class Recalled(AttachedTest):
    def test_recall_gives_the_mix_of_the_values_by_the_formula(self):
        self.write_npy("c.npy", [1, 2], [1, 2])
        answer = self.recalled("m.safetensors", "--cue", "c.npy", "--beta", "0.25", "--updates", "1", "--top", "4", "-o", "r.npy")
        self.assertEqual(answer["what"], "values")
        weights = [math.exp(0.25 * (p[0] * 1 + p[1] * 2)) for p in PATTERNS]
        mix = [sum(w * v[k] for w, v in zip(weights, VALUES)) / sum(weights) for k in range(3)]
        result = answer["results"][0]
        self.assertNotIn("state", result)
        for got, wanted in zip(result["values"], mix):
            self.assertAlmostEqual(got, wanted, delta=1e-5)  # f32
        self.assertEqual(read_npy(self.folder / "r.npy")[0], (1, 3))
        self.assertEqual([(hit["id"], hit["metadata"]) for hit in result["top"]],
                         [(i, json.loads(ABOUT["abcd".index(i)])) for i in "bacd"])
        state = self.recalled("m.safetensors", "--cue", "c.npy", "--beta", "0.25", "--updates", "1", "--what", "state")
        self.assertEqual(len(state["results"][0]["state"]), 2)

    def test_search_shows_metadata_and_where_restricts(self):
        self.write_npy("c.npy", [1, 2], [1, 2])
        search = ["search", "m.safetensors", "--cue", "c.npy", "--beta", "1", "-o", "-"]
        hits = json.loads(self.memory(*search).stdout)["hits"]
        self.assertEqual([hit["metadata"] for hit in hits], [json.loads(ABOUT["abcd".index(i)]) for i in "bacd"])
        hits = json.loads(self.memory(*search, "--where", 'label == "cat"').stdout)["hits"]
        self.assertEqual([hit["id"] for hit in hits], ["a", "c"])
        recalled = self.recalled("m.safetensors", "--cue", "c.npy", "--beta", "1", "--where", "not has(label)")
        self.assertEqual([hit["id"] for hit in recalled["results"][0]["top"]], ["d"])
        self.assertEqual((recalled["num_patterns"], recalled["where"]), (1, "not has(label)"))
        self.assertEqual(recalled["results"][0]["values"], VALUES[3])
        self.memory(*search, "--where", "year > 3000", status=3, error="expected a memory with patterns that match --where, got none")
        self.memory("export", "m.safetensors", "-o", "cats.safetensors", "--where", 'label == "cat"')
        self.assertEqual(self.contents("cats.safetensors"), self.rows(0, 2))


class Forget(AttachedTest):
    def test_where_forgets_what_matches_and_dry_run_only_tells(self):
        before = (self.folder / "m.safetensors").read_bytes()
        forget = ["forget", "m.safetensors", "--where", 'label == "cat" and (year < 2020 or has(at.room))']
        self.memory(*forget, "--dry-run", output="^m.safetensors: would forget 2 patterns of 4\n  a\n  c\n$")
        self.assertEqual(self.told(*forget, "--dry-run")["would_forget"], ["a", "c"])
        self.memory("forget", "m.safetensors", "--id", "b", "--dry-run", output="would forget 1 pattern of 4\n  b\n")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)
        self.memory(*forget, output="forgot 2 patterns; 2 patterns now, 2 tombstones")
        self.assertEqual(self.contents(), self.rows(1, 3))
        self.memory(*forget, output="forgot 0 patterns; 2 patterns now")

    def test_bad_predicates_and_choices_change_nothing(self):
        before = (self.folder / "m.safetensors").read_bytes()
        self.memory("create", "p.npy", "-o", "plain.safetensors")
        for arguments, message in [
            (["m.safetensors", "--where", "label = 1"], "character 7: expected ==, !=, <, <=, >, >= or in, got '= 1'"),
            (["m.safetensors", "--where", "(" * 100000], "nested at most 100 deep"),
            (["plain.safetensors", "--where", "has(label)"], "expected a memory with metadata, got 'plain.safetensors'"),
            (["m.safetensors", "--where", "has(label)", "--id", "a"], "excludes"),
            (["m.safetensors", "--id", "a", "--dry-run", "--prove"], "excludes"),
            (["m.safetensors", "--id", "z", "--dry-run"], "expected ids of patterns in 'm.safetensors', got 'z'"),
        ]:
            with self.subTest(arguments[1:2]):
                self.memory("forget", *arguments, status=2, error=re.escape(message))
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)

    def test_prove_leaves_no_byte_of_what_was_forgotten(self):
        marked = [0.123456789, -98765.4321]
        self.write_npy("secret.npy", marked, [1, 2])
        self.write_npy("vs.npy", [0.987654321, 2, 3], [1, 3])
        self.write("s.jsonl", '{"name":"Erika Mustermann"}\n')
        self.write("s.txt", "patient-4711\n")
        self.memory("add", "m.safetensors", "secret.npy", "--ids", "s.txt", "--values", "vs.npy", "--metadata", "s.jsonl")
        traces = [struct.pack("<2f", *marked), struct.pack("<f", 0.987654321), b"Erika Mustermann", b"patient-4711"]
        held = (self.folder / "m.safetensors").read_bytes()
        for trace in traces:
            self.assertIn(trace, held)
        answer = self.told("forget", "m.safetensors", "--where", "has(name)", "--prove")
        proof = answer["proof"]
        self.assertEqual((answer["forgotten"], proof["holds"], proof["file_equals_fresh_memory"], proof["num_different_recalls"]),
                         (["patient-4711"], True, True, 0))
        self.assertEqual((proof["num_forgotten_cues"], proof["num_random_cues"], len(proof["betas"]), proof["same_numbers_left"]),
                         (1, 256, 3, []))
        left = (self.folder / "m.safetensors").read_bytes()
        self.assertEqual(proof["file_bytes"], len(left))
        for trace in traces:
            self.assertNotIn(trace, left)
        self.assertEqual(self.contents(), self.rows(0, 1, 2, 3))
        self.assertNotIn("m.safetensors.fresh", self.names())

    def test_prove_tells_equal_patterns_that_stay_and_works_down_to_none(self):
        self.write_npy("twin.npy", PATTERNS[0], [1, 2])
        self.memory("create", "p.npy", "-o", "n.safetensors")
        self.memory("add", "n.safetensors", "twin.npy")
        self.memory("forget", "n.safetensors", "--id", "0", "--prove",
                    output="forgot 1 pattern; 4 patterns now, 0 tombstones.*each of its [0-9]+ bytes.*bit for bit.*"
                           "note +'4', which stays, has the numbers that '0' had\noutside ")
        self.memory("forget", "n.safetensors", "--id", "1", "--id", "2", "--id", "3", "--id", "4", "--prove",
                    output="0 patterns now.*no pattern is left")

    def test_prove_does_not_start_over_a_file_of_somebody_else(self):
        self.write("m.safetensors.fresh", "mine")
        before = (self.folder / "m.safetensors").read_bytes()
        self.memory("forget", "m.safetensors", "--id", "a", "--prove", status=1, error="m.safetensors.fresh.*exists")
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)


class Cues(AttachedTest):
    def test_tensors_of_safetensors_are_patterns_and_cues(self):
        numbers = sum(PATTERNS, [])
        for dtype, code in (("F32", "f"), ("F64", "d"), ("F16", "e")):
            self.write("t.safetensors", safetensors_bytes({"x": (dtype, [4, 2], code, numbers)}))
            self.memory("create", "t.safetensors", "-o", "n.safetensors", "--force", output="4 patterns of depth 2")
            _, tensors = read_safetensors(self.folder / "n.safetensors")
            self.assertEqual(list(struct.unpack("<8f", tensors["patterns"][2])), numbers)
        self.write("bf.safetensors", safetensors_bytes({"x": ("BF16", [1, 2], "H", [0x4080, 0xC080])}))
        self.memory("create", "bf.safetensors", "-o", "n.safetensors", "--force")
        self.assertEqual(struct.unpack("<2f", read_safetensors(self.folder / "n.safetensors")[1]["patterns"][2]), (4, -4))
        self.write("two.safetensors", safetensors_bytes({"x": ("F32", [4, 2], "f", numbers), "n": ("I64", [1], "q", [7])}))
        search = ["search", "m.safetensors", "--beta", "1", "-o", "-"]
        wanted = self.memory(*search, "--cue", "p.npy").stdout
        self.assertEqual(self.memory(*search, "--cue", "two.safetensors", "--tensor", "x").stdout, wanted)
        for options, status, message in [
            ([], 2, r"expected the name of a tensor of 'two.safetensors', got none; it has x n"),
            (["--tensor", "y"], 3, "'y'"),
            (["--tensor", "n"], 3, "'two.safetensors', tensor 'n': expected F32, F16, BF16 or F64, got I64"),
        ]:
            self.memory(*search, "--cue", "two.safetensors", *options, status=status, error=message)
        self.memory(*search, "--cue", "p.npy", "--tensor", "x", status=2, error="expected a file named .safetensors, got 'p.npy'")

    def test_no_answer_depends_on_how_cues_come(self):
        """Several blocks, the last one short: from NPY, CSV and standard input."""
        rng = random.Random(5)
        count = 2 * 256 + 3
        cues = [round(rng.gauss(0, 2), 3) for _ in range(2 * count)]
        self.write_npy("c.npy", cues, [count, 2], "<f8")
        table = "x,y\n" + "".join(f"{cues[2 * i]},{cues[2 * i + 1]}\n" for i in range(count))
        self.write("c.csv", table)
        recall = ["recall", "m.safetensors", "--beta", "0.4", "--what", "state", "--json", "-"]
        wanted = self.memory(*recall, "--cue", "c.npy", "-o", "a.npy").stdout
        answer = json.loads(wanted)
        self.assertEqual((answer["num_cues"], answer["num_converged"]), (count, count))
        self.assertEqual([result["cue"] for result in answer["results"]], list(range(count)))
        shape, states = read_npy(self.folder / "a.npy")
        self.assertEqual(shape, (count, 2))
        self.assertEqual([struct.unpack("f", struct.pack("f", x))[0] for r in answer["results"] for x in r["state"]], states)
        self.assertEqual(self.memory(*recall, "--cue", "c.csv").stdout, wanted)
        self.assertEqual(self.memory(*recall, "--cue", "-", stdin=None, input=table).stdout, wanted)
        for last in (0, 300, count - 1):
            self.write_npy("one.npy", cues[2 * last:2 * last + 2], [1, 2], "<f8")
            one = json.loads(self.memory(*recall, "--cue", "one.npy").stdout)["results"][0]
            self.assertEqual({**one, "cue": last}, answer["results"][last])
        self.write_npy("mask.npy", [i % 2 for i in range(2 * count)], [count, 2], "|u1")
        complete = ["complete", "m.safetensors", "--beta", "0.4", "--json", "-", "--cue", "c.csv", "--mask"]
        masked = self.memory(*complete, "mask.npy").stdout
        self.write_npy("row.npy", [0, 1], [1, 2], "|u1")
        self.assertEqual(self.memory(*complete, "row.npy").stdout, masked)
        for rows, got in ((count - 1, "fewer rows"), (count + 1, "more rows"), (256, "fewer rows")):
            self.write_npy("bad.npy", [0] * (2 * rows), [rows, 2], "|u1")
            self.memory(*complete, "bad.npy", status=3, error=r"shape \[1, 2\] or \[cues, 2\], got " + got)

    def test_no_cue_at_all_gives_empty_answers(self):
        self.write("none.csv", "x,y\n")
        answer = self.recalled("m.safetensors", "--cue", "none.csv", "--beta", "1", "-o", "none.npy")
        self.assertEqual((answer["results"], answer["num_cues"]), ([], 0))
        self.assertEqual(read_npy(self.folder / "none.npy"), ((0, 3), []))
        self.memory("search", "m.safetensors", "--cue", "none.csv", "--beta", "1", "-o", "hits.npy")
        self.assertEqual(read_npy(self.folder / "hits.npy"), ((0, 4), []))


if __name__ == "__main__":
    unittest.main()
