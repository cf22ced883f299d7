# gdb shows a reference count as words:
#
#     (gdb) print *session
#     $1 = {id = 5, kref = 3 references}
#
# and who holds the references of an object of a program that kref-track tracks. The address is that of
# the struct kref. For a core file, FILE is the trace that `kref-track --trace FILE` has written:
#
#     (gdb) kref holders &session->kref
#     (gdb) kref holders &session->kref --trace FILE
#
# `make install` puts this file where gdb finds the file when gdb loads libkref.so. A program with
# libkref.a needs the command `source kref.py`. `print session->kref.refcount.refs` and
# `print/r session->kref` show the stored number.
#
# SPDX-License-Identifier: MIT OR Apache-2.0

import shutil
import subprocess

import gdb
import gdb.printing


class KrefPrinter:
    """Prints a struct kref, or the struct refcount_struct in a struct kref.

    The constants are those of the number line in src/count. They are members because gdb runs this
    file in the namespace of the user's own Python code.
    """

    ONE_REFERENCE = -(1 << 31)
    RELEASED = (1 << 31) - 1

    # Linux has fewer threads than this number. While threads are inside a get or a put, the stored
    # number may differ from RELEASED, or from 0, by one for each thread.
    THREADS = 1 << 22

    # A tracked count: each reference adds TRACKED_STEP to TRACKED_ZERO.
    TRACKED_BEGIN = 0x20000000
    TRACKED_END = 0x30000000
    TRACKED_STEP = 64
    TRACKED_ZERO = TRACKED_BEGIN + TRACKED_STEP // 2

    def __init__(self, refs):
        self.refs = refs

    def to_string(self):
        if self.refs.is_optimized_out:
            return "<optimized out>"
        return self.words(int(self.refs))

    @classmethod
    def words(cls, stored):
        if stored < 0:
            return cls.references(stored - cls.ONE_REFERENCE + 1)
        if stored < cls.THREADS:
            return "never initialised"
        if cls.TRACKED_ZERO < stored < cls.TRACKED_END:
            number = (stored - cls.TRACKED_BEGIN) // cls.TRACKED_STEP
            return "tracked, " + cls.references(max(number, 1))
        if stored > cls.RELEASED - cls.THREADS:
            return "released"
        return "saturated"

    @staticmethod
    def references(number):
        return "1 reference" if number == 1 else f"{number} references"

    @classmethod
    def of_kref(cls, kref):
        return cls.of_members(kref, "refcount", "refs")

    @classmethod
    def of_refcount(cls, refcount):
        return cls.of_members(refcount, "refs")

    @classmethod
    def of_members(cls, value, *names):
        """None for a struct that has only the name in common with ours, as the kernel's has."""
        try:
            for name in names:
                value = value[name]
        except gdb.error:
            return None
        return cls(value) if value.type.code == gdb.TYPE_CODE_INT else None

    @classmethod
    def register(cls):
        printers = gdb.printing.RegexpCollectionPrettyPrinter("libkref")
        printers.add_printer("kref", "^kref$", cls.of_kref)
        printers.add_printer("refcount_struct", "^refcount_struct$", cls.of_refcount)
        # Without an object file, as after `source`, the printers are for all programs.
        gdb.printing.register_pretty_printer(gdb.current_objfile(), printers, replace=True)


KrefPrinter.register()


class KrefCommand(gdb.Command):
    """Commands for the reference counts of libkref."""

    def __init__(self):
        super().__init__("kref", gdb.COMMAND_DATA, prefix=True)


class KrefHolders(gdb.Command):
    """Show who holds the references of an object.

    kref holders ADDRESS
    kref holders ADDRESS --trace FILE

ADDRESS is the address of the struct kref, as an expression. The program must run under kref-track. For a
core file, FILE is the trace that `kref-track --trace FILE` has written."""

    def __init__(self):
        super().__init__("kref holders", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        expression, _, trace = argument.partition("--trace")
        if not expression.strip():
            raise gdb.GdbError("kref holders ADDRESS [--trace FILE]: which object?")
        value = gdb.parse_and_eval(expression)
        address = self.address(value)
        trace = trace.strip()
        if "--trace" in argument and not trace:
            raise gdb.GdbError("--trace needs the name of a file")
        process = gdb.selected_inferior().pid
        if trace:
            source = ["report", trace]
        elif process and self.is_alive():
            source = ["-p", str(process)]
        else:
            raise gdb.GdbError(self.count(address) + "No process runs: give the trace with --trace FILE.")
        print(self.ask(address, source), end="")

    @staticmethod
    def address(value):
        kind = value.type.strip_typedefs().code
        if kind == gdb.TYPE_CODE_STRUCT:
            value = value.address
            if value is None:
                raise gdb.GdbError("this struct is not in memory")
        elif kind not in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT):
            raise gdb.GdbError("this is no address: give that of the struct kref, as &session->kref")
        return int(value) & 0xFFFFFFFFFFFFFFFF

    @staticmethod
    def is_alive():
        """A core file has the number of a process, too, but nobody runs there."""
        target = gdb.selected_inferior().connection
        return target is not None and target.type != "core"

    @staticmethod
    def count(address):
        """What the memory says of the count."""
        try:
            memory = gdb.selected_inferior().read_memory(address, 4)
        except gdb.error:
            return f"No memory is at {address:#x}. "
        stored = int.from_bytes(bytes(memory), "little", signed=True)
        return f"The count at {address:#x}: {KrefPrinter.words(stored)}. "

    @classmethod
    def ask(cls, address, source):
        command = shutil.which("kref-track")
        if command is None:
            raise gdb.GdbError(cls.count(address) + "kref-track is not in the PATH of gdb.")
        asked = subprocess.run(
            [command, "--address", hex(address), *source], capture_output=True, text=True, errors="replace"
        )
        if asked.returncode == 0:
            return asked.stdout
        if "is not tracked" in asked.stderr:
            how = "The program is not tracked: start it by `kref-track gdb --args PROGRAM`."
            raise gdb.GdbError(cls.count(address) + how)
        raise gdb.GdbError(asked.stderr.strip())


KrefCommand()
KrefHolders()
