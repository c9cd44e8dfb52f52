"""Files that people and runs bring and take: bounded in size, checked, written whole.

`load_array` reads a person's matrices and vectors, `read_bytes` and `as_usage_error` guard every
file that is read, `pack` and `unpack` turn dataclasses into named arrays and back, and `write_…`
replace a file as a whole or not at all; `write_new` replaces none. Read first: guarded.py and
writing.py, then arrays.py.
"""

from instrument.files.arrays import (
    SQUARABLE,
    check_inputs,
    load_array,
    random_inputs,
    random_matrix,
    random_stream,
)
from instrument.files.guarded import arrays_of, as_usage_error, read_bytes, sha256_of, text_in
from instrument.files.packed import Arrays, pack, pack_all, unpack
from instrument.files.writing import (
    require_new,
    write_arrays,
    write_bytes,
    write_json,
    write_new,
    write_text,
)

__all__ = [
    "SQUARABLE",
    "Arrays",
    "arrays_of",
    "as_usage_error",
    "check_inputs",
    "load_array",
    "pack",
    "pack_all",
    "random_inputs",
    "random_matrix",
    "random_stream",
    "read_bytes",
    "require_new",
    "sha256_of",
    "text_in",
    "unpack",
    "write_arrays",
    "write_bytes",
    "write_json",
    "write_new",
    "write_text",
]
