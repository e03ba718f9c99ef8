"""``python -m eval``: how good and how fast the croppers are.

Exit codes: 0 measured; 1 data that breaks its format; 2 usage; 3 no such scorer or extra; 5 the
report cannot be written; 130 interrupted. Tables go to stdout, everything else to stderr.
"""

from eval.commands import cli

__all__ = ["cli"]

if __name__ == "__main__":
    cli(prog_name="python -m eval")
