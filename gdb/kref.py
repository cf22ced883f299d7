# gdb shows a reference count as words:
#
#     (gdb) print *session
#     $1 = {id = 5, kref = 3 references}
#
# `make install` puts this file where gdb finds the file when gdb loads libkref.so. A program with
# libkref.a needs the command `source kref.py`. `print session->kref.refcount.refs` and
# `print/r session->kref` show the stored number.
#
# SPDX-License-Identifier: MIT OR Apache-2.0

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
        stored = int(self.refs)
        if stored < 0:
            return self.references(stored - self.ONE_REFERENCE + 1)
        if stored < self.THREADS:
            return "never initialised"
        if self.TRACKED_ZERO < stored < self.TRACKED_END:
            number = (stored - self.TRACKED_BEGIN) // self.TRACKED_STEP
            return "tracked, " + self.references(max(number, 1))
        if stored > self.RELEASED - self.THREADS:
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
