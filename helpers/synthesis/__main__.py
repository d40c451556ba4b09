"""Command line to write a synthetic data set: python -m helpers.synthesis capuchin"""

import argparse
import os

from helpers.synthesis.generators import GENERATORS, SIZES, default_root, write_sample


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m helpers.synthesis", description=__doc__)
    parser.add_argument("name", choices=list(GENERATORS))
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--root", help="folder to write (default: data/synthetic/<name>-<size>)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    root = args.root or default_root(args.name, args.size)
    root = write_sample(GENERATORS[args.name], root, size=args.size, seed=args.seed)
    print(os.path.relpath(root))


if __name__ == "__main__":
    main()
