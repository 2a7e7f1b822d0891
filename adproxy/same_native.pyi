from collections.abc import Sequence

SOURCE: str

class Matcher:
    def __init__(self, holder: bytes, spans: Sequence[tuple[int, int]]) -> None: ...
    def __call__(self, pieces: Sequence[bytes], /) -> bool: ...
