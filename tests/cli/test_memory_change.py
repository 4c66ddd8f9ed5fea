"""hopfield memory add, forget, update, compact, export, merge: a memory that changes and loses nothing."""

import fcntl
import json
import random
import signal
import struct
import subprocess
import time
import unittest

from support import PROGRAM, ProgramTest, npy_bytes, read_npy, read_safetensors


class ChangeTest(ProgramTest):
    """m.safetensors holds a = (1, 10), b = (2, 20), c = (3, 30)."""

    def setUp(self):
        super().setUp()
        self.write("m.csv", "name,x,y\na,1,10\nb,2,20\nc,3,30\n")
        self.memory("create", "m.csv", "--id-column", "name", "-o", "m.safetensors")

    def memory(self, *arguments, status=0, **more):
        return self.expect(status, "memory", *arguments, **more)

    def contents(self, name="m.safetensors"):
        """[(id, numbers)] as export gives them; verify must agree."""
        self.memory("verify", name)
        self.memory("export", name, "-o", "contents.csv", "--force")
        lines = (self.folder / "contents.csv").read_text().splitlines()
        (self.folder / "contents.csv").unlink()
        cells = [line.split(",") for line in lines[1:]]
        return [(row[0].strip('"'), [float(x) for x in row[1:]]) for row in cells]

    def stat(self, name="m.safetensors"):
        return json.loads(self.memory("stat", name, "--quick", "--json").stdout)


class Change(ChangeTest):
    def test_add_forget_update_compact(self):
        self.write("more.csv", "name,x,y\nd,4,40\ne,5,50\n")
        self.memory("add", "m.safetensors", "more.csv", "--id-column", "name",
                    output=r"^m.safetensors: added 2 patterns, ids d to e; 5 patterns now, 0 tombstones, \d+ bytes\n$")
        self.memory("forget", "m.safetensors", "--id", "a", "--id", "d",
                    output="forgot 2 patterns; 3 patterns now, 2 tombstones")
        self.write_npy("new.npy", [-2, -20], [1, 2])
        self.write("ids.txt", "b\n")
        self.memory("update", "m.safetensors", "new.npy", "--ids", "ids.txt", output="updated 1 pattern; 3 patterns now")
        expected = [("b", [-2, -20]), ("c", [3, 30]), ("e", [5, 50])]
        self.assertEqual(self.contents(), expected)
        stat = self.stat()
        self.assertEqual((stat["num_patterns"], stat["tombstones"], stat["changes"]), (3, 2, 3))
        self.assertEqual(stat["bytes"], (self.folder / "m.safetensors").stat().st_size)
        self.memory("verify", "m.safetensors", output="3 patterns of depth 2, 3 changes in the log, all checksums fit")
        self.memory("compact", "m.safetensors", output=r"compacted from \d+ bytes; 3 patterns now, 0 tombstones")
        self.assertEqual(self.contents(), expected)
        stat = self.stat()
        self.assertEqual((stat["num_patterns"], stat["tombstones"], stat["changes"]), (3, 0, 0))
        _, tensors = read_safetensors(self.folder / "m.safetensors")
        self.assertEqual(list(struct.unpack("<6f", tensors["patterns"][2])), [-2, -20, 3, 30, 5, 50])

    def test_recall_and_stat_see_the_changes(self):
        self.write_npy("cue.npy", [4, 41], [1, 2])
        self.write_npy("p.npy", [4, 40], [1, 2])
        recall = ["recall", "m.safetensors", "--cue", "cue.npy", "--beta", "5", "--json", "-"]
        self.assertEqual(json.loads(self.memory(*recall).stdout)["results"][0]["top"][0]["id"], "c")
        self.memory("add", "m.safetensors", "p.npy", output="added 1 pattern, id 3;")
        self.assertEqual(json.loads(self.memory(*recall).stdout)["results"][0]["top"][0]["id"], "3")
        with_log = self.memory(*recall).stdout
        full = json.loads(self.memory("stat", "m.safetensors", "--json").stdout)
        self.memory("compact", "m.safetensors")
        self.assertEqual(self.memory(*recall).stdout, with_log)
        again = json.loads(self.memory("stat", "m.safetensors", "--json").stdout)
        for key in ("norm", "separation", "advice", "capacity"):
            self.assertEqual(full[key], again[key])

    def test_numbers_go_on_and_are_not_given_twice(self):
        self.write_npy("p.npy", range(6), [3, 2])
        self.memory("create", "p.npy", "-o", "n.safetensors")
        self.memory("add", "n.safetensors", "p.npy", output="ids 3 to 5")
        self.write("ids.txt", "5\n1\n")
        self.memory("forget", "n.safetensors", "--ids", "ids.txt")
        self.memory("compact", "n.safetensors")
        self.memory("add", "n.safetensors", "p.npy", output="ids 6 to 8")
        self.assertEqual([name for name, _ in self.contents("n.safetensors")], list("0234678"))

    def test_bad_arguments_are_named_and_change_nothing(self):
        before = (self.folder / "m.safetensors").read_bytes()
        self.write_npy("p.npy", [1, 2], [1, 2])
        self.write_npy("wide.npy", [1, 2, 3], [1, 3])
        self.write_npy("nan.npy", [1, float("nan")], [1, 2])
        self.write("a.txt", "a\n")
        self.write("z.txt", "z\n")
        self.write("two.txt", "y\nz\n")
        self.write("none.txt", "")
        names = self.names()
        for arguments, status, message in [
            (["add", "m.safetensors", "wide.npy"], 3, r"expected patterns of depth 2 as those of 'm.safetensors', got depth 3"),
            (["add", "m.safetensors", "nan.npy"], 3, r"'nan.npy', row 0, column 1 .*got NaN"),
            (["add", "m.safetensors", "p.npy", "--ids", "a.txt"], 3, r"expected ids that are new to 'm.safetensors', got 'a'"),
            (["add", "m.safetensors", "p.npy", "--ids", "two.txt"], 3, r"'two.txt': expected 1 lines, one a pattern, got 2"),
            (["add", "missing", "p.npy"], 1, r"cannot change 'missing': no such file"),
            (["add", "p.npy", "p.npy"], 3, r"'p.npy': expected a safetensors file"),
            (["add", "m.safetensors"], 2, r"patterns is required"),
            (["forget", "m.safetensors"], 2, r"\[--id\] expected names of patterns to forget, got none"),
            (["forget", "m.safetensors", "--id", "z"], 2, r"expected ids of patterns in 'm.safetensors', got 'z'"),
            (["forget", "m.safetensors", "--ids", "two.txt"], 2, r"got 'y'"),
            (["forget", "m.safetensors", "--id", "a", "--id", "a"], 3, r"expected each id once, got 'a' twice"),
            (["forget", "m.safetensors", "--ids", "missing"], 1, r"cannot read 'missing'"),
            (["update", "m.safetensors", "p.npy"], 2, r"\[--ids\] expected the names of the patterns to update"),
            (["update", "m.safetensors", "p.npy", "--ids", "z.txt"], 2, r"got 'z'"),
            (["update", "m.safetensors", "p.npy", "--ids", "none.txt"], 3, r"'none.txt': expected 1 lines, one a pattern, got 0"),
            (["compact", "missing"], 1, r"'missing': no such file"),
            (["export", "m.safetensors", "-o", "x.txt"], 2, r"expected a name that ends in .npy, .csv, .tsv or .safetensors, got 'x.txt'"),
            (["export", "m.safetensors", "-o", "x.csv", "--ids", "i.txt"], 2, r"expected an output that ends in .npy"),
            (["export", "m.safetensors", "-o", "p.npy"], 1, r"'p.npy': the file exists; give --force"),
            (["export", "m.safetensors", "-o", "x.npy", "--ids", "a.txt"], 1, r"'a.txt': the file exists; give --force"),
            (["export", "m.safetensors", "-o", "m.safetensors", "--force"], 2, r"expected an output that is no input"),
            (["merge", "m.safetensors", "m.safetensors", "-o", "x.safetensors"], 3, r"expected memories without equal ids, got 'a' in 'm.safetensors'.*--rename"),
            (["merge", "m.safetensors", "missing", "-o", "x.safetensors"], 1, r"'missing': no such file"),
        ]:
            with self.subTest(arguments):
                self.memory(*arguments, status=status, error="hopfield: error: .*" + message)
                self.assertEqual(self.names(), names)
        self.assertEqual((self.folder / "m.safetensors").read_bytes(), before)

    def test_damage_in_the_log_is_found(self):
        self.memory("forget", "m.safetensors", "--id", "b")
        whole = (self.folder / "m.safetensors").read_bytes()
        self.write("bad.safetensors", whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        self.write("cut.safetensors", whole[:-1])
        for name in ("bad.safetensors", "cut.safetensors"):
            for arguments in (["verify", name], ["stat", name, "--quick"], ["compact", name], ["forget", name, "--id", "a"]):
                self.memory(*arguments, status=3, error=f"'{name}'.*restore it from a copy")

    def test_every_example_of_the_help_runs(self):
        for command in ("add", "forget", "update", "compact", "export", "merge"):
            for example in self.examples_of("memory", command):
                with self.subTest(example):
                    for path in self.folder.iterdir():
                        path.unlink()
                    self.write_npy("patterns.npy", range(6), [3, 2])
                    self.write("names.txt", "a\nb\nc\n")
                    self.write("numbers.txt", "2\n0\n1\n")
                    self.write("about.jsonl", '{"label":"cat","year":2019}\n{}\n{"label":"dog"}\n')
                    self.write_npy("others.npy", range(6, 12), [3, 2])
                    self.expect(0, "memory", "create", "patterns.npy", "-o", "memory.safetensors")
                    self.expect(0, "memory", "create", "others.npy", "-o", "other.safetensors")
                    self.expect(0, "memory", "create", "patterns.npy", "--values", "patterns.npy", "--metadata",
                                "about.jsonl", "-o", "rich.safetensors")
                    for memory, name in (("memory", "a.partial"), ("other", "b.partial")):
                        self.expect(0, "memory", "recall", f"{memory}.safetensors", "--cue", "patterns.npy", "--beta", 1,
                                    "--updates", 1, "--partial", name)
                    self.expect(0, *example)


class Export(ChangeTest):
    def test_npy_and_names_go_back_in(self):
        self.memory("forget", "m.safetensors", "--id", "b")
        for dtype in ("f32", "bf16", "f16"):
            self.memory("export", "m.safetensors", "-o", "p.npy", "--ids", "ids.txt", "--force",
                        output="p.npy: 2 patterns of depth 2")
            self.assertEqual(read_npy(self.folder / "p.npy"), ((2, 2), [1, 10, 3, 30]))
            self.assertEqual((self.folder / "ids.txt").read_text(), "a\nc\n")
            self.memory("create", "p.npy", "--ids", "ids.txt", "--dtype", dtype, "-o", "m.safetensors", "--force")
            self.assertEqual(self.contents(), [("a", [1, 10]), ("c", [3, 30])])

    def test_tables_go_back_in_whatever_the_names(self):
        names = ["plain", "with, comma", 'with "quotes"', " spaces ", "\u00fc"]
        self.write("names.txt", "\n".join(names) + "\n")
        numbers = [0.1, -1e-30, 3.4e38, 16777217.0, 1 / 3] * 2
        self.write_npy("p.npy", numbers, [5, 2])
        self.memory("create", "p.npy", "--ids", "names.txt", "-o", "n.safetensors")
        for table in ("t.csv", "t.tsv"):
            self.memory("export", "n.safetensors", "-o", table)
            self.memory("create", table, "--id-column", "id", "-o", "again.safetensors", "--force")
            self.assertEqual((self.folder / "again.safetensors").read_bytes(),
                             (self.folder / "n.safetensors").read_bytes())

    def test_safetensors_is_a_compact_copy(self):
        self.memory("forget", "m.safetensors", "--id", "a")
        self.memory("export", "m.safetensors", "-o", "copy.safetensors")
        self.memory("compact", "m.safetensors")
        self.assertEqual((self.folder / "copy.safetensors").read_bytes(),
                         (self.folder / "m.safetensors").read_bytes())

    def test_an_empty_memory(self):
        self.memory("forget", "m.safetensors", "--id", "a", "--id", "b", "--id", "c")
        self.memory("export", "m.safetensors", "-o", "p.npy")
        self.assertEqual(read_npy(self.folder / "p.npy"), ((0, 2), []))
        self.assertEqual(self.contents(), [])


class Merge(ChangeTest):
    def test_keeps_names_and_order(self):
        self.write("o.csv", "name,x,y\nd,4,40\na,5,50\n")
        self.memory("create", "o.csv", "--id-column", "name", "-o", "o.safetensors")
        self.memory("forget", "m.safetensors", "--id", "a")
        self.memory("merge", "m.safetensors", "o.safetensors", "-o", "all.safetensors",
                    output="all.safetensors: merged 2 memories; 4 patterns now")
        self.assertEqual(self.contents("all.safetensors"),
                         [("b", [2, 20]), ("c", [3, 30]), ("d", [4, 40]), ("a", [5, 50])])

    def test_rename(self):
        self.memory("merge", "m.safetensors", "m.safetensors", "-o", "all.safetensors", "--rename")
        self.assertEqual([name for name, _ in self.contents("all.safetensors")], ["a", "b", "c", "a-2", "b-2", "c-2"])


class Faults(ChangeTest):
    def test_killed_at_any_moment_the_memory_holds_what_was_acknowledged(self):
        """The library's test kills it a few hundred times; this one kills the whole program."""
        rng = random.Random(3)
        count, wide = 20000, 16
        self.write("p.npy", npy_bytes([rng.uniform(-1, 1) for _ in range(wide)] * count, [count, wide]))
        self.memory("create", "p.npy", "-o", "big.safetensors")
        held = count
        for sign in (signal.SIGKILL, signal.SIGTERM):
            for command in (["add", "big.safetensors", "p.npy"], ["compact", "big.safetensors"]):
                for _ in range(6):
                    process = subprocess.Popen([PROGRAM, "memory", *command], cwd=self.folder,
                                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    time.sleep(rng.uniform(0, 0.06))
                    process.send_signal(sign)
                    told, _ = process.communicate(timeout=60)
                    found = self.stat("big.safetensors")["num_patterns"]
                    added = count if command[0] == "add" else 0
                    self.assertIn(found, (held, held + added))
                    if told:
                        self.assertEqual(found, held + added)
                    held = found
        self.memory("verify", "big.safetensors")

    def test_one_writer_at_a_time(self):
        with open(self.folder / "m.safetensors", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for arguments in (["forget", "m.safetensors", "--id", "a"], ["compact", "m.safetensors"],
                              ["create", "m.csv", "--id-column", "name", "-o", "m.safetensors", "--force"]):
                self.memory(*arguments, status=1, error="another program is changing it")
            self.memory("verify", "m.safetensors", output="3 patterns")
        self.memory("forget", "m.safetensors", "--id", "a")


if __name__ == "__main__":
    unittest.main()
