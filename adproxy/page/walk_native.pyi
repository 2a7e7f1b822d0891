from selectolax.lexbor import LexborNode

from adproxy.page.walk import Lists

SOURCE: str

class Walk:
    def __init__(self, lists: Lists) -> None: ...
    def __call__(self, root: LexborNode) -> list[list[LexborNode]]: ...
