"""A Python program that uses libkref by cffi.

use.py abi CDEF LIBRARY FUNCTION...   loads the library
use.py write CDEF FILE.c              writes the source of the module _kref
use.py api FOLDER FUNCTION...         loads the module _kref from the folder
"""

import sys

import cffi

TYPES = """
typedef ... pthread_mutex_t;
typedef ... pthread_spinlock_t;
typedef ... pthread_t;
typedef ... pthread_attr_t;
"""


def declared(cdef):
    ffi = cffi.FFI()
    with open(cdef) as text:
        ffi.cdef(TYPES + text.read())
    return ffi


def use(ffi, lib, functions):
    missing = [name for name in functions if not hasattr(lib, name)]
    assert not missing, missing
    released, violations = [], []

    @ffi.callback("void (struct kref *)")
    def release(kref):
        released.append(kref)

    @ffi.callback("kref_violation_handler")
    def violated(violation, context):
        violations.append((violation.kind, violation.kref, context))

    kref = ffi.new("struct kref *")
    lib.kref_init(kref)
    lib.kref_get(kref)
    assert lib.kref_read(kref) == 2
    assert lib.kref_put(kref, release) == 0 and released == []
    assert lib.kref_put(kref, release) == 1 and released == [kref]

    lib.kref_set_violation_handler(violated, kref)
    assert lib.kref_put(kref, release) == 0 and released == [kref]
    assert violations == [(lib.KREF_PUT_ON_ZERO, kref, kref)], violations
    print("released once, one violation")


how, rest = sys.argv[1], sys.argv[2:]
if how == "abi":
    ffi = declared(rest[0])
    use(ffi, ffi.dlopen(rest[1]), rest[2:])
elif how == "write":
    ffi = declared(rest[0])
    ffi.set_source("_kref", "#include <kref.h>")
    ffi.emit_c_code(rest[1])
else:
    sys.path.insert(0, rest[0])
    import _kref

    use(_kref.ffi, _kref.lib, rest[1:])
