"""hopfield memory with --dtype int8: codes and their scales, exact rows beside them, and what is told of their error."""

import json
import math
import random
import struct
import unittest

from support import ProgramTest, read_npy, read_safetensors

DEPTH, COUNT, BETA = 16, 300, 0.8


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


class CodesTest(ProgramTest):
    def setUp(self):
        super().setUp()
        rng = random.Random(3)
        self.patterns = [[f32(rng.gauss(0, 1)) for _ in range(DEPTH)] for _ in range(COUNT)]
        self.patterns[9] = [0.0] * DEPTH
        self.write_npy("p.npy", sum(self.patterns, []), [COUNT, DEPTH])
        self.cues = [[f32(v + rng.gauss(0, 0.2)) for v in self.patterns[i]] for i in (4, 29, 11)]
        self.write_npy("c.npy", sum(self.cues, []), [3, DEPTH])

    def create(self, *options, name="m.safetensors"):
        return self.expect(0, "memory", "create", "p.npy", "--dtype", "int8", "-o", name, *options)

    def recall(self, name="m.safetensors", *options):
        result = self.expect(0, "memory", "recall", name, "--cue", "c.npy", "--beta", BETA, "--updates", 1, *options,
                             "--json", "-")
        return json.loads(result.stdout)["results"]

    def truth(self, cue):
        """Associations with the patterns, in double."""
        scores = [BETA * dot(x, cue) for x in self.patterns]
        terms = [math.exp(s - max(scores)) for s in scores]
        return [t / sum(terms) for t in terms]


class Store(CodesTest):
    def test_a_plain_safetensors_reader_sees_codes_scales_and_exact_rows(self):
        self.assertRegex(self.create().stdout, r"300 patterns of depth 16, int8 with exact f32, \d+ bytes")
        metadata, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(metadata["version"], "3")
        self.assertEqual({name: entry[:2] for name, entry in tensors.items()},
                         {"patterns": ("I8", [COUNT, DEPTH]), "scales": ("F32", [COUNT]),
                          "exact": ("F32", [COUNT, DEPTH])})
        codes = struct.unpack(f"<{COUNT * DEPTH}b", tensors["patterns"][2])
        scales = struct.unpack(f"<{COUNT}f", tensors["scales"][2])
        for i, pattern in enumerate(self.patterns):
            self.assertEqual(scales[i], f32(max(map(abs, pattern)) / 127))
            for k, x in enumerate(pattern):
                # half a unit; the quotient was rounded
                self.assertLessEqual(abs(x - codes[i * DEPTH + k] * scales[i]), scales[i] * (0.5 + 1e-9))
        self.assertEqual(tensors["exact"][2], struct.pack(f"<{COUNT * DEPTH}f", *sum(self.patterns, [])))

    def test_what_is_kept_beside_the_codes_is_a_choice(self):
        sizes = {}
        for exact, dtype in (("f32", "F32"), ("bf16", "BF16"), ("f16", "F16"), ("none", None)):
            self.create("--exact", exact, "--force")
            tensors = read_safetensors(self.folder / "m.safetensors")[1]
            self.assertEqual(tensors["exact"][0] if "exact" in tensors else None, dtype)
            facts = json.loads(self.expect(0, "memory", "stat", "m.safetensors", "--quick", "--json").stdout)
            self.assertEqual((facts["dtype"], facts["exact_dtype"], facts["version"]),
                             ("int8", None if exact == "none" else exact, 3))
            sizes[exact] = facts["bytes"]
            self.expect(0, "memory", "verify", "m.safetensors", output="all checksums fit")
        self.assertLess(sizes["none"], sizes["bf16"])
        self.assertLess(sizes["bf16"], sizes["f32"])
        self.expect(2, "memory", "create", "p.npy", "--exact", "f32", "-o", "n.safetensors",
                    error=r"\[--exact\] expected --dtype int8 with --exact, got f32")
        self.expect(2, "memory", "create", "p.npy", "--values-dtype", "int8", "-o", "n.safetensors",
                    error="--values-dtype")
        self.write_npy("tiny.npy", [1e-38, 0], [1, 2])
        self.expect(3, "memory", "create", "tiny.npy", "--dtype", "int8", "-o", "n.safetensors",
                    error=r"'tiny.npy', row 0, column 0 .*scale the patterns or choose another type")
        self.assertFalse((self.folder / "n.safetensors").exists())

    def test_changes_come_and_go_by_name(self):
        for exact in ("f32", "none"):
            self.create("--exact", exact, "--force")
            first = (self.folder / "m.safetensors").read_bytes()
            self.write_npy("more.npy", [0.5] * DEPTH, [1, DEPTH])
            self.write("seven.txt", "7\n")
            self.expect(0, "memory", "add", "m.safetensors", "more.npy", output="added 1 pattern, id 300")
            self.expect(0, "memory", "update", "m.safetensors", "more.npy", "--ids", "seven.txt")
            self.expect(0, "memory", "export", "m.safetensors", "-o", "e.npy", "--force")
            shape, numbers = read_npy(self.folder / "e.npy")
            self.assertEqual(shape, (COUNT + 1, DEPTH))
            for row in (7, COUNT):
                for x in numbers[row * DEPTH:(row + 1) * DEPTH]:
                    self.assertAlmostEqual(x, 0.5, delta=0 if exact == "f32" else 1e-7)
            if exact == "f32":
                self.assertEqual(numbers[:7 * DEPTH], sum(self.patterns[:7], []))
            self.write_npy("back.npy", self.patterns[7], [1, DEPTH])
            self.expect(0, "memory", "update", "m.safetensors", "back.npy", "--ids", "seven.txt")
            self.expect(0, "memory", "forget", "m.safetensors", "--id", "300", "--prove", output="bit for bit")
            self.expect(0, "memory", "verify", "m.safetensors")
            tensors = read_safetensors(self.folder / "m.safetensors")[1]
            self.write("first", first)
            self.assertEqual(tensors, read_safetensors(self.folder / "first")[1])


class Ask(CodesTest):
    def test_recall_is_that_of_the_patterns_within_its_bounds(self):
        for exact in ("f32", "none"):
            self.create("--exact", exact, "--force")
            for cue, result in zip(self.cues, self.recall()):
                truth = self.truth(cue)
                codes = result["codes"]
                self.assertEqual(list(codes), ["num_exact", "score_bound", "weight_bound", "state_bound", "top_certain"])
                self.assertEqual(codes["num_exact"] > 0, exact == "f32")
                self.assertLess(codes["weight_bound"], 0.2)
                for hit in result["top"]:
                    # 2e-6: f32 associations
                    self.assertAlmostEqual(hit["weight"], truth[hit["index"]], delta=codes["weight_bound"] + 2e-6)
                state = [sum(w * x[k] for w, x in zip(truth, self.patterns)) for k in range(DEPTH)]
                self.assertLessEqual(math.dist(result["state"], state), codes["state_bound"] + 1e-5)
                if exact == "f32":
                    self.assertTrue(codes["top_certain"])
                    best = sorted(range(COUNT), key=lambda i: -truth[i])[:3]
                    self.assertEqual([hit["index"] for hit in result["top"]], best)

    def test_with_every_row_scored_exactly_it_is_the_recall_of_f32(self):
        self.create()
        self.expect(0, "memory", "create", "p.npy", "-o", "f.safetensors")
        for ours, theirs in zip(self.recall("m.safetensors", "--top", COUNT), self.recall("f.safetensors", "--top", COUNT)):
            self.assertEqual(ours["codes"]["weight_bound"], 0)
            self.assertEqual(ours["codes"]["state_bound"], 0)
            self.assertEqual(ours["codes"]["num_exact"], COUNT)
            self.assertEqual([h["id"] for h in ours["top"]][:3], [h["id"] for h in theirs["top"]][:3])
            for key in ("lse", "entropy", "largest"):
                self.assertAlmostEqual(ours[key], theirs[key], delta=1e-5)
            self.assertEqual(ours["metastable_size"], theirs["metastable_size"])
            for a, b in zip(ours["state"], theirs["state"]):
                self.assertAlmostEqual(a, b, delta=1e-5)

    def test_search_tells_exact_similarities_and_the_bounds(self):
        self.create()
        lines = self.expect(0, "memory", "search", "m.safetensors", "--cue", "c.npy", "--beta", BETA, "--top", 2, "-o",
                            "-").stdout.splitlines()
        for cue, line in zip(self.cues, lines):
            answer = json.loads(line)
            self.assertTrue(answer["codes"]["top_certain"])
            for hit in answer["hits"]:
                self.assertAlmostEqual(hit["similarity"], dot(self.patterns[hit["index"]], cue), delta=1e-9)

    def test_people_are_told_in_one_line(self):
        self.create()
        line = r"\ncodes    scores within [\d.]+, weights within [\d.e-]+; the top is certain for 3 of 3 cues\n$"
        self.expect(0, "memory", "recall", "m.safetensors", "--cue", "c.npy", "--beta", BETA, output=line)
        self.expect(0, "memory", "search", "m.safetensors", "--cue", "c.npy", "--beta", BETA, output=line)
        self.expect(0, "memory", "recall", "m.safetensors", "--cue", "c.npy", "--beta", BETA, "--similarity", "distance",
                    output="codes    no bound for this similarity; the top is certain for 0 of 3 cues")

    def test_a_part_of_the_patterns_and_the_other_commands_take_codes(self):
        self.write("about.jsonl", "".join(json.dumps({"even": i % 2 == 0}) + "\n" for i in range(COUNT)))
        self.create("--metadata", "about.jsonl")
        for hit in self.recall("m.safetensors", "--where", "even == true")[0]["top"]:
            self.assertEqual(int(hit["id"]) % 2, 0)
        cue = ["--cue", "c.npy", "--beta", BETA]
        self.expect(0, "memory", "complete", "m.safetensors", *cue, "--updates", 1)
        self.expect(0, "memory", "influence", "m.safetensors", *cue)
        self.expect(0, "memory", "dedup", "m.safetensors", output="0 of 300 patterns are near duplicates")
        self.expect(0, "memory", "stat", "m.safetensors", output="int8 with exact f32, with metadata")


if __name__ == "__main__":
    unittest.main()
