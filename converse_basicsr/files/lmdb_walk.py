"""``python -m converse_basicsr.files.lmdb_walk FOLDER`` prints the header of every value of an LMDB, one JSON per line.

It is a program of its own because LMDB has no checksums: a damaged page can end the process that reads it. A line is
[key, header], [key, reason] or, at the end, the reason why reading failed.
"""

import json
import sys

import lmdb

from .image_header import bytes_header


def main(folder: str) -> int:
    try:
        with lmdb.open(folder, readonly=True, lock=False) as environment, environment.begin(buffers=True) as reading:
            expected = environment.stat()["entries"]
            for number, (key, value) in enumerate(reading.cursor(), start=1):
                if number > expected:  # a page that leads back to an earlier one would never end
                    print(json.dumps("it has more entries than it says"))
                    return 1
                print(json.dumps([bytes(key).decode("ascii", "replace"), bytes_header(value)]))
    except lmdb.Error as error:
        print(json.dumps(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
