"""Write one of the example scenes as a .blend with its recipe beside it."""

import argparse
from pathlib import Path

from tools.example_scenes.making import EXAMPLES, write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=EXAMPLES)
    parser.add_argument("folder", type=Path, help="what NAME.blend and NAME.yaml are written into")
    options = parser.parse_args()
    print(write(options.name, options.folder))


if __name__ == "__main__":
    main()
