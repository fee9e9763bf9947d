"""Write the golden fixtures of `tests/fixtures/` anew, all or those named: `make_fixtures.py certificates fsic`."""

import json
import sys
from importlib import import_module
from pathlib import Path

import project

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MAKERS = {
    # file: module that builds it
    "certificates": "golden.certificates",
    "fsic": "golden.counters",
    "wire": "golden.wire",
    "buffer": "golden.buffer",
}


def main(names):
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        sys.exit("no such fixture: {}; there are {}".format(", ".join(unknown), ", ".join(MAKERS)))
    project.configure(":memory:")
    project.prepare_database()
    FIXTURES.mkdir(exist_ok=True)
    for name in names or MAKERS:
        path = FIXTURES / "{}.json".format(name)
        previous = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        made = import_module(MAKERS[name]).build(previous)
        text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
        path.write_text(text, encoding="utf-8")
        print("{}: {} bytes".format(path.name, len(text)))


if __name__ == "__main__":
    main(sys.argv[1:])
