"""A program's file handling under test: pyfakefs replaces os, io and pathlib in all modules and puts them back."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from pyfakefs.fake_filesystem_unittest import Patcher

TESTS = 60


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, value: object) -> None:
        path = self.root / f"{name}.json"
        new = path.with_suffix(".new")
        with open(new, "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(new, path)

    def get(self, name: str) -> object:
        return json.loads((self.root / f"{name}.json").read_text(encoding="utf-8"))

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.root.glob("*.json"))

    def size(self) -> int:
        return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(self.root) for name in names)


def main() -> None:
    total = 0
    for number in range(TESTS):
        with Patcher() as patcher:
            store = Store(Path("/data/store"))
            patcher.fs.create_file("/data/store/old.json", contents="[1, 2, 3]")
            for entry in range(40):
                store.put(f"entry{entry}", {"number": number, "entry": entry})
            total += len(store.names()) + store.size() + len(str(store.get("old")))
            with tempfile.TemporaryDirectory() as directory:
                shutil.copytree("/data/store", os.path.join(directory, "copy"))
                total += len(os.listdir(os.path.join(directory, "copy")))
            shutil.rmtree("/data/store")
            assert not os.path.exists("/data/store")
        assert not os.path.exists("/data/store")
    print(TESTS, "tests, total", total)


main()
