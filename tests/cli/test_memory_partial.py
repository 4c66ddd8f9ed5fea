"""hopfield memory recall --partial and merge: recall from a memory in several files."""

import csv
import json
import math
import random
import struct
import unittest
import zlib

from support import ProgramTest, read_npy, read_safetensors

DEPTH = 5
BLOCK = 4096  # patterns are folded in blocks of so many: docs/formats/partial.md


class PartialTest(ProgramTest):
    """Shards a (a block), b (a block) and c, and the memory of all."""

    files = {}  # made by the first test

    def setUp(self):
        super().setUp()
        rng = random.Random(3)
        count = 2 * BLOCK + 900
        self.patterns = [[rng.gauss(0, 1) for _ in range(DEPTH)] for _ in range(count)]
        if not self.files:
            for name, first, end in (("all", 0, count), ("a", 0, BLOCK), ("b", BLOCK, 2 * BLOCK), ("c", 2 * BLOCK, count)):
                self.write("ids.txt", "".join(f"p{i}\n" for i in range(first, end)))
                self.create(name, self.patterns[first:end], "--ids", "ids.txt")
                self.files[f"{name}.safetensors"] = (self.folder / f"{name}.safetensors").read_bytes()
        for name, content in self.files.items():
            self.write(name, content)
        cues = [[v + rng.gauss(0, 0.1) for v in self.patterns[i]] for i in (7, BLOCK + 5, count - 1, 100)]
        self.write_npy("c.npy", sum(cues, []), [4, DEPTH])

    def create(self, name, patterns, *options):
        self.write_npy("p.npy", [v for pattern in patterns for v in pattern], [len(patterns), len(patterns[0])])
        self.expect(0, "memory", "create", "p.npy", *options, "-o", f"{name}.safetensors", "--force")

    def partial(self, name, *options, status=0, cue="c.npy", **more):
        return self.expect(status, "memory", "recall", f"{name}.safetensors", "--cue", cue, "--updates", 1, *options,
                           "--partial", f"{name}.partial", **more)

    def partials(self, *options, names="abc"):
        for name in names:
            self.partial(name, *options)
        return [f"{name}.partial" for name in names]

    def merge(self, *options, status=0, **more):
        return self.expect(status, "memory", "merge", *options, **more)

    def whole(self, *options):
        return json.loads(self.expect(0, "memory", "recall", "all.safetensors", "--cue", "c.npy", "--updates", 1, *options,
                                      "--json", "-").stdout)

    def test_merged_whole_blocks_are_one_recall_bit_for_bit(self):
        for similarity in ("dot", "distance", "cosine"):
            options = ["--beta", 6, "--similarity", similarity, "--top", 8]
            whole = self.whole(*options)
            merged = json.loads(self.merge(*self.partials(*options), "--top", 8, "--json").stdout)
            for key in ("num_patterns", "depth", "what", "similarity", "beta", "updates", "num_cues"):
                self.assertEqual(merged[key], whole[key], key)
            for got, wanted in zip(merged["results"], whole["results"], strict=True):
                for key in ("cue", "steps", "stop", "converged", "state", "energy", "energy_cue", "lse", "entropy", "match"):
                    self.assertEqual(got[key], wanted[key], key)
                self.assertEqual([(hit["id"], hit["index"]) for hit in got["top"]],
                                 [(hit["id"], hit["index"]) for hit in wanted["top"]])
                for hit, other in zip(got["top"], wanted["top"]):
                    # exp of scores below 100 in f32, whose errors are a few roundings of 4e-6
                    self.assertAlmostEqual(hit["weight"], other["weight"], delta=3e-5)
                known = wanted["metastable_size"] <= 8
                self.assertEqual(got["metastable_size"], wanted["metastable_size"] if known else None)
                self.assertEqual(got["regime"], wanted["regime"] if known else None)

    def test_merged_shards_of_any_size_are_one_recall_up_to_rounding(self):
        self.create("a", self.patterns[:1000])
        self.create("b", self.patterns[1000:])
        options = ["--beta", 6]
        merged = json.loads(self.merge(*self.partials(*options, names="ab"), "--json").stdout)
        for got, wanted in zip(merged["results"], self.whole(*options)["results"], strict=True):
            for a, b in zip(got["state"], wanted["state"], strict=True):
                self.assertAlmostEqual(a, b, delta=1e-4)  # scores below 100 in f32: a few roundings of 4e-6
            self.assertAlmostEqual(got["energy"], wanted["energy"], delta=1e-4)
            # Shards without names: patterns are called by their number in the whole.
            self.assertEqual([(hit["id"], hit["index"]) for hit in got["top"]],
                             [(str(hit["index"]), hit["index"]) for hit in wanted["top"]])

    def test_every_form_of_output_holds_the_answer_of_one_recall(self):
        options = ["--beta", 6]
        files = self.partials(*options)
        whole = self.whole(*options)["results"]
        self.merge(*files, "-o", "s.npy", output="merged   3 partial results: 9092 patterns of depth 5\n"
                                                  "beta     6\n.*associations\n +0 ")
        self.expect(0, "memory", "recall", "all.safetensors", "--cue", "c.npy", "--updates", 1, *options, "-o", "w.npy")
        self.assertEqual((self.folder / "s.npy").read_bytes(), (self.folder / "w.npy").read_bytes())
        lines = self.merge(*files, "-o", "-").stdout.splitlines()
        self.assertEqual([json.loads(line)["state"] for line in lines], [result["state"] for result in whole])
        self.merge(*files, "--top", 1, "-o", "s.csv")
        with open(self.folder / "s.csv", newline="") as file:
            self.assertEqual([row["id_1"] for row in csv.DictReader(file)], [result["top"][0]["id"] for result in whole])

    def test_merged_states_are_the_next_cues(self):
        self.expect(0, "memory", "recall", "all.safetensors", "--cue", "c.npy", "--beta", 6, "--updates", 3, "-o", "w.npy")
        for _ in range(3):
            self.merge(*self.partials("--beta", 6), "-o", "c.npy")
        self.assertEqual(read_npy(self.folder / "c.npy"), read_npy(self.folder / "w.npy"))

    def test_values_are_merged_too(self):
        for name, patterns in (("a", self.patterns[:50]), ("b", self.patterns[50:90]), ("all", self.patterns[:90])):
            first = 50 if name == "b" else 0
            self.write_npy("v.npy", [float(first + i) for i in range(len(patterns))], [len(patterns), 1])
            self.create(name, patterns, "--values", "v.npy")
        merged = json.loads(self.merge(*self.partials("--beta", 2, names="ab"), "--json").stdout)
        self.assertEqual(merged["what"], "values")
        for got, wanted in zip(merged["results"], self.whole("--beta", 2)["results"], strict=True):
            self.assertAlmostEqual(got["values"][0], wanted["values"][0], delta=1e-3)  # up to 90, roundings of 8e-6
        self.partial("a", "--beta", 2, "--what", "state")
        self.merge("a.partial", "b.partial", status=3, error="same readout, got state and values")

    def test_what_was_asked_differently_is_refused_with_both_names(self):
        both = "expected 'a.partial' and 'b.partial' to be asked with the same "
        self.partial("a", "--beta", 2)
        for options, cue, message in ((["--beta", 3], "c.npy", "beta, got 2 and 3"),
                                      (["--beta", 2, "--similarity", "cosine"], "c.npy", "similarity, got dot and cosine"),
                                      (["--beta", 2], "fewer.npy", "number of cues, got 4 and 1"),
                                      (["--beta", 2], "others.npy", "cues, got some and others")):
            self.write_npy("fewer.npy", [1.0] * DEPTH, [1, DEPTH])
            self.write_npy("others.npy", [1.0] * 4 * DEPTH, [4, DEPTH])
            self.partial("b", *options, cue=cue)
            self.merge("a.partial", "b.partial", status=3, error=both + message)
        self.create("b", [[1.0, 2.0]])
        self.write_npy("flat.npy", [1.0, 2.0], [1, 2])
        self.partial("b", "--beta", 2, cue="flat.npy")
        self.merge("a.partial", "b.partial", status=3, error=both + "depth, got 5 and 2")

    def refuse_both(self, first, second, count):
        self.merge(first, second, status=3,
                   error=f"expected '{first}' and '{second}' to be of different patterns, got {count} patterns of one memory in both")

    def test_the_same_shard_twice_is_refused_with_both_names(self):
        self.partials("--beta", 2)
        self.refuse_both("c.partial", "c.partial", 900)
        self.write("copy.safetensors", (self.folder / "c.safetensors").read_bytes())
        self.partial("copy", "--beta", 2)
        self.merge("a.partial", "c.partial", "copy.partial", status=3, error="'c.partial' and 'copy.partial'")
        # A change gives another memory; then it is its positions that tell.
        self.expect(0, "memory", "forget", "c.safetensors", "--id", f"p{2 * BLOCK + 3}")
        self.partial("c", "--beta", 2)
        self.write("again.partial", (self.folder / "c.partial").read_bytes())
        self.refuse_both("c.partial", "again.partial", 899)

    def test_parts_of_one_memory_are_merged_unless_they_overlap(self):
        self.write("about.jsonl", "".join(f'{{"n":{i}}}\n' for i in range(900)))
        self.create("all", self.patterns[:900], "--metadata", "about.jsonl")
        for name, where in (("low", "n < 700"), ("high", "n >= 700"), ("middle", "n > 600 and n < 710")):
            self.write(f"{name}.safetensors", (self.folder / "all.safetensors").read_bytes())
            self.partial(name, "--beta", 6, "--where", where)
        self.refuse_both("low.partial", "middle.partial", 99)
        self.refuse_both("high.partial", "middle.partial", 10)
        merged = json.loads(self.merge("low.partial", "high.partial", "--json").stdout)
        for got, wanted in zip(merged["results"], self.whole("--beta", 6)["results"], strict=True):
            self.assertAlmostEqual(got["lse"], wanted["lse"], delta=1e-4)  # scores below 100 in f32: a few roundings of 4e-6

    def test_shards_that_began_empty_differ_by_what_was_added(self):
        for name, first in (("a", 0), ("b", 50)):
            self.write("empty.csv", ",".join("x" * (k + 1) for k in range(DEPTH)) + "\n")
            self.expect(0, "memory", "create", "empty.csv", "-o", f"{name}.safetensors", "--force")
            self.write_npy("p.npy", sum(self.patterns[first:first + 50], []), [50, DEPTH])
            self.expect(0, "memory", "add", f"{name}.safetensors", "p.npy")
        merged = json.loads(self.merge(*self.partials("--beta", 2, names="ab"), "--json").stdout)
        self.assertEqual(merged["num_patterns"], 100)

    def test_too_few_kept_associations_are_said(self):
        files = self.partials("--beta", 2, "--top", 2, names="ab")
        result = self.run_program("memory", "merge", *files, "--top", 5, "--json")
        self.assertEqual(result.returncode, 0)
        self.assertIn("the shards tell 2 of the 5 largest associations that --top wants; recall with --top 5", result.stderr)
        self.assertEqual([len(answer["top"]) for answer in json.loads(result.stdout)["results"]], [2] * 4)

    def test_what_a_partial_result_cannot_hold_is_refused(self):
        for options, message in ((["--updates", 2, "--beta", 2], "expected --updates 1, got 2"),
                                 (["--updates", 1], "expected a number as --beta, the same for all shards, got auto"),
                                 (["--updates", 1, "--beta", 2, "-o", "s.npy"], "expected neither --output nor --json"),
                                 (["--updates", 1, "--beta", 2, "--threshold", "t.json"], "expected no --threshold")):
            self.expect(2, "memory", "recall", "a.safetensors", "--cue", "c.npy", *options, "--partial", "x.partial",
                        error="--partial. " + message)
        self.assertNotIn("x.partial", self.names())
        self.expect(2, "memory", "merge", "a.safetensors", "b.safetensors", error="expected a name for the new memory")
        self.merge(*self.partials("--beta", 2), "--rename", status=2, error="--rename. expected it with memories only")

    def test_every_damaged_byte_is_found(self):
        self.create("a", self.patterns[:3])
        self.partial("a", "--beta", 2)
        data = (self.folder / "a.partial").read_bytes()
        self.partial("b", "--beta", 2)
        metadata, tensors = read_safetensors(self.folder / "a.partial")
        self.assertEqual((metadata["format"], metadata["version"], metadata["beta"]), ("hopfield.partial", "2", "2"))
        self.assertEqual(tensors["acc"][:2], ("F32", [1, 4, DEPTH]))
        rng = random.Random(4)
        for _ in range(25):
            at = rng.randrange(len(data))
            damaged = bytearray(data)
            damaged[at] ^= 1 << rng.randrange(8)
            self.write("a.partial", bytes(damaged))
            with self.subTest(at):
                self.merge("b.partial", "a.partial", status=3, error="a.partial")
        for length in (0, 7, 100, len(data) - 1):
            self.write("a.partial", data[:length])
            self.merge("b.partial", "a.partial", status=3, error="a.partial")
        self.merge("b.partial", "c.safetensors", status=3, error="'c.safetensors': expected a file that memory recall --partial")
        self.merge("b.partial", "none.partial", status=1, error="none.partial")

    def rewrite(self, name, metadata=None, tensors=None):
        """Changes a file and makes its checksums fit."""
        path = self.folder / name
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header, body = json.loads(data[8:8 + length]), bytearray(data[8 + length:])
        header["__metadata__"].update(metadata or {}, **{"crc32.header": "00000000"})
        for tensor, content in (tensors or {}).items():
            first, end = header[tensor]["data_offsets"]
            self.assertEqual(end - first, len(content))
            body[first:end] = content
            header["__metadata__"][f"crc32.{tensor}"] = f"{zlib.crc32(content):08x}"
        text = json.dumps(header, separators=(",", ":"))
        text += " " * (-len(text) % 8)
        text = text.replace('"crc32.header":"00000000"', f'"crc32.header":"{zlib.crc32(text.encode()):08x}"')
        path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + body)

    def test_a_file_that_lies_about_what_it_holds_is_refused(self):
        self.create("a", self.patterns[:3])
        self.partial("b", "--beta", 2)
        def index(*values):
            return struct.pack("<12q", *values)
        self.partial("a", "--beta", 2, "--top", 3)
        _, tensors = read_safetensors(self.folder / "a.partial")
        self.rewrite("a.partial", tensors={"top.index": tensors["top.index"][2]})
        self.merge("b.partial", "a.partial")  # what is made by hand, and true, is taken
        for change, message in (({"metadata": {"num_patterns": "5000"}}, "expected cues, blocks of patterns"),
                                ({"metadata": {"num_patterns": "2"}}, "expected cues, blocks of patterns"),
                                ({"metadata": {"num_patterns": "many"}}, "expected a number 'num_patterns', got 'many'"),
                                ({"metadata": {"beta": "-2"}}, "expected cues, blocks of patterns"),
                                ({"metadata": {"memory": ""}}, "expected what was asked of which memory"),
                                ({"metadata": {"similarity": "other"}}, "expected what was asked of which memory"),
                                ({"tensors": {"rows": b"\x03"}}, "expected rows and blocks of 3 patterns"),
                                ({"tensors": {"visible": struct.pack("<4q", 3, 3, 3, 2)}}, "expected rows and blocks of 3 patterns"),
                                ({"tensors": {"visible": struct.pack("<4q", 2**62, 2**62, 3, 3)}}, "expected the patterns of a block"),
                                ({"metadata": {"format": "hopfield.memory"}}, "expected a file that memory recall --partial wrote"),
                                ({"tensors": {"top.index": index(*[3] * 12)}}, "expected patterns of the shard"),
                                ({"tensors": {"top.index": index(*[-1] * 12)}}, "expected patterns of the shard"),
                                ({"tensors": {"top.similarity": struct.pack("<12d", *[math.nan] * 12)}}, "finite similarities")):
            with self.subTest(change):
                self.partial("a", "--beta", 2, "--top", 3)
                self.rewrite("a.partial", **change)
                self.merge("b.partial", "a.partial", status=3, error="'a.partial': .*" + message)
        self.partial("a", "--beta", 2, "--top", 3)
        self.rewrite("a.partial", {"version": "1"})
        self.merge("b.partial", "a.partial", status=1, error="expected version 2, got '1'; recall from its shard with this hopfield")


if __name__ == "__main__":
    unittest.main()
