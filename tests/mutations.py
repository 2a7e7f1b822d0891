"""Forged page tokens, made from a true one.

python tests/mutations.py 100000      tries so many, says how many were believed, and fails unless none was
"""

from __future__ import annotations

import random
import string
import sys
from collections.abc import Iterator

from adproxy.tokens import Keyring, PageFacts

ALPHABET = string.ascii_letters + string.digits + "-_.~=+/% "


def mutated(token: str, count: int, seed: int = 1) -> Iterator[str]:
    """`count` different texts, none of which is the token: letters changed, lost, added, swapped, pieces doubled or cut
    off, signatures of other tokens."""
    dice = random.Random(seed)
    given = {token}
    payload, _, signature = token.partition(".")
    while len(given) <= count:
        letters = list(token)
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            at = dice.randrange(len(letters))
            match dice.randrange(6):
                case 0:
                    letters[at] = dice.choice(ALPHABET)
                case 1:
                    letters.insert(at, dice.choice(ALPHABET))
                case 2:
                    del letters[at]
                case 3:
                    other = dice.randrange(len(letters))
                    letters[at], letters[other] = letters[other], letters[at]
                case 4:
                    letters[at:at] = letters[at : at + dice.randrange(1, 8)]
                case _:
                    letters = [*payload, ".", *dice.sample(signature, len(signature))]
        other_token = "".join(letters)
        if other_token not in given:
            given.add(other_token)
            yield other_token


def main(count: int) -> int:
    keys = Keyring("a key that nobody can guess, 42 letters long", "another one, which was in use before the other")
    token = keys.sign(PageFacts("asia-news", "/story", "0123456789ab", 20_000, (("in-article", 3), ("rail", 1))))
    believed = sum(keys.read(other) is not None for other in mutated(token, count))
    print(f"{count} mutated tokens, {believed} accepted")
    return 1 if believed or keys.read(token) is None else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
