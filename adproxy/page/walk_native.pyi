from collections.abc import Collection

from selectolax.lexbor import LexborNode

from adproxy.page.stride import Ordinary
from adproxy.page.walk import Lists

SOURCE: str

class Walk:
    def __init__(self, lists: Lists) -> None: ...
    def __call__(self, root: LexborNode) -> list[list[LexborNode]]: ...

class Glance:
    def __init__(self, telling: Collection[str]) -> None: ...
    def __call__(self, node: LexborNode) -> tuple[str, str] | None: ...

class Stride:
    def __init__(
        self, wrapping: Collection[str], silent: Collection[str], ordinary: Ordinary | None = None
    ) -> None: ...
    def __call__(
        self, node: LexborNode, enter: bool | None, forward: bool, left: int
    ) -> tuple[LexborNode | None, str | None, int]: ...

class Value:
    def __init__(self, name: str) -> None: ...
    def __call__(self, node: LexborNode) -> str | None: ...
