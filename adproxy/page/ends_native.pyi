from collections.abc import Callable, Mapping

SOURCE: str

class Ends:
    def __init__(
        self,
        traits: Mapping[bytes, int],
        is_balanced: Callable[[bytes, int, int], bool],
        behind_svg: Callable[[bytes, int, int], int],
    ) -> None: ...
    def __call__(self, html: bytes, start: int, wanted: bytes, limit: int, most: int) -> tuple[int, int]: ...
