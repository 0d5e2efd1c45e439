"""tools/cuda/gates.py on listings of our own: each rule is broken once, and named."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GATES = Path(__file__).resolve().parents[2] / "tools/cuda/gates.py"
ATTEND = "_ZN6attnrt4cuda6attendINS0_6PolicyILNS0_6FormatE1ELi128ELb0EEENS0_4Bf16EEEvv"
PAGES = "_ZN6attnrt4cuda11page_tablesEv"
ATTEND_NAME, PAGES_NAME = "attend bf16 Bf16 128 by columns", "page tables"
MULTIPLIES = ("HMMA.16816.F32.BF16 R4, R8, R12, R4", "LDSM.16.M88.4 R8, [R2]", "LDGSTS.E.BYPASS.128 [R3], [R4.64]")
# Prints what stands beside the environment: usage for -res-usage, code for -sass.
CUOBJDUMP = '#!/bin/sh\ncase "$1" in -res-usage) cat "$XDG_CACHE_HOME/usage" ;; *) cat "$XDG_CACHE_HOME/code" ;; esac\n'


class Kernel:
    def __init__(self, mangled: str, *code: str, device="sm_90", registers=40, stack=0, shared=0):
        self.device, self.mangled, self.code = device, mangled, code
        self.usage = f"REG:{registers} STACK:{stack} SHARED:{shared} LOCAL:0"


def attend(*more: str, without="", **usage) -> Kernel:
    return Kernel(ATTEND, *(line for line in MULTIPLIES if not without or without not in line), *more, **usage)


class GatesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.table = self.folder / "table.csv"
        tools = self.folder / "attnrt/cuda/lib/python3/site-packages/nvidia/cu13/bin"
        tools.mkdir(parents=True)
        for name in ("cuobjdump", "nvdisasm"):
            (tools / name).write_text(CUOBJDUMP)
            (tools / name).chmod(0o755)

    def gates(self, *kernels: Kernel, compiler="13.0.88", write=False):
        usage = (f"Fatbin elf code:\narch = {k.device}\n Function {k.mangled}:\n  {k.usage}\n" for k in kernels)
        code = (f"code for x\narch = {k.device}\nFunction : {k.mangled}\n"
                + "".join(f"        /*{16 * i:04x}*/                   {line} ;\n" for i, line in enumerate(k.code)) for k in kernels)  # fmt: skip
        (self.folder / "usage").write_text("".join(usage))
        (self.folder / "code").write_text("".join(code))
        words = [sys.executable, GATES, "plugin.so", compiler, "--table", self.table, *(["--write"] if write else [])]
        return subprocess.run(words, capture_output=True, text=True, env={**os.environ, "XDG_CACHE_HOME": str(self.folder)})

    def expect(self, done, *complaints: str):
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(done.stderr.splitlines(), list(complaints))
        self.assertEqual(done.returncode, 1 if complaints else 0)

    def test_a_table_that_was_just_written_is_kept(self):
        kernels = [attend("UBLKCP [R2], [R4]"), Kernel(PAGES, "@!P0 EXIT"), Kernel(PAGES, "EXIT", device="sm_80")]
        self.expect(self.gates(*kernels, write=True))
        self.assertIn(f"{ATTEND_NAME},sm_90,40,0,4,1,1,1,1\n", self.table.read_text())
        done = self.gates(*kernels)
        self.expect(done)
        self.assertIn("3 kernels on 2 devices, 0 complaints", done.stdout)

    def test_rules_hold_whatever_the_table_says(self):
        at = f"{ATTEND_NAME}, sm_90: "
        cases = [
            (attend(stack=8), at + "a stack of 8 bytes"),
            (attend("LDL R2, [R1]"), at + "1 LDL: values in local memory"),
            (attend("@P1 STL.64 [R1], R2"), at + "1 STL: values in local memory"),
            (attend(without="HMMA"), at + "no HMMA"),
            (attend(without="LDSM"), at + "no LDSM"),
            (attend("LDGSTS.E [R3], [R4.64]", without=".128"), at + "no asynchronous copy of 16 bytes"),
            (attend(without="LDGSTS"), at + "no LDGSTS", at + "no asynchronous copy of 16 bytes"),
        ]
        for kernel, *complaints in cases:
            with self.subTest(complaints):
                self.expect(self.gates(kernel, write=True), *complaints)
                self.assertFalse(self.table.exists())

    def test_more_than_the_table_allows_is_named(self):
        self.gates(attend("UBLKCP [R2], [R4]", shared=16), write=True)
        at = f"{ATTEND_NAME}, sm_90: "
        cases = [
            (attend("UBLKCP [R2], [R4]", shared=16, registers=41), at + "registers 41, the table allows 40"),
            (attend("UBLKCP [R2], [R4]", shared=32), at + "shared 32, the table allows 16"),
            (attend(shared=16), at + "no UBLKCP, of which the table counts 1"),
        ]
        for kernel, complaint in cases:
            with self.subTest(complaint):
                self.expect(self.gates(kernel), complaint)
        self.expect(self.gates(attend("UBLKCP [R2], [R4]", shared=0, registers=39)))

    def test_the_table_lists_what_is_built_and_no_more(self):
        both = [attend(), Kernel(PAGES)]
        self.gates(*both, write=True)
        self.expect(self.gates(both[0]), f"{PAGES_NAME}, sm_90: in the table, but not built")
        self.gates(both[0], write=True)
        self.expect(self.gates(*both), f"{PAGES_NAME}, sm_90: not in {self.table}: run tools/cuda/gates.py --write")

    def test_another_compiler_is_held_to_the_rules_alone(self):
        self.gates(attend(), write=True)
        done = self.gates(attend(registers=90), compiler="12.9.41")
        self.expect(done)
        self.assertIn("the table is of nvcc 13.0.88, this is 12.9.41: only the rules are checked", done.stdout)
        self.expect(self.gates(attend(stack=8), compiler="12.9.41"), f"{ATTEND_NAME}, sm_90: a stack of 8 bytes")

    def test_what_is_no_table_or_no_plugin_is_refused(self):
        self.expect(self.gates(attend()), f"{self.table} is not there: make it with --write")
        self.table.write_text("# nvcc 13.0.88; made by hand\nkernel,device\n")
        done = self.gates(attend())
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected the columns kernel, device, registers", done.stderr)
        self.table.write_text("")
        self.assertIn("only the rules are checked", self.gates(attend()).stdout)
        self.gates(attend(), write=True)
        self.table.write_text(self.table.read_text().replace(",40,", ",many,"))
        self.expect(self.gates(attend()), f"{self.table}: expected numbers for {ATTEND_NAME}, sm_90: make it anew with --write")
        self.expect(self.gates(), "plugin.so has no device code")

    def test_without_cuobjdump_it_says_so_and_is_skipped(self):
        for tool in self.folder.glob("**/nvdisasm"):
            tool.unlink()
        done = self.gates(attend())
        self.assertEqual((done.returncode, done.stderr), (77, "cuobjdump is not there: run tools/cuda/install.sh\n"))

    def test_what_cuobjdump_says_when_it_fails_is_passed_on(self):
        for tool in self.folder.glob("**/cuobjdump"):
            tool.write_text("#!/bin/sh\necho no such file >&2\nexit 1\n")
        self.expect(self.gates(attend()), "gates.py: cuobjdump -res-usage plugin.so: no such file")

    def test_two_kernels_of_one_name_are_not_one(self):
        other = "_ZN6attnrt5other11page_tablesEv"
        self.expect(self.gates(Kernel(PAGES), Kernel(other)),
                    f"gates.py: {other}: another kernel is called '{PAGES_NAME}' too: teach short_name the difference")  # fmt: skip


if __name__ == "__main__":
    unittest.main()
