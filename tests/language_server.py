"""A client of a language server, as an editor is one: JSON-RPC over the server's standard input and output."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 60.0
"""After which a server that gives no answer counts as dead."""
SERVER = Path("node_modules/yaml-language-server/out/server/src/server.js")
# Nothing is fetched: schemas come from the files themselves.
_CONFIGURATION = {
    "yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}, "format": {}},
}


class YamlLanguageServer:
    """One server process; `close` ends it. `tools`: the directory whose ``node_modules`` holds it."""

    def __init__(self, tools: Path) -> None:
        node = shutil.which("node")
        if node is None:
            raise FileNotFoundError("node")
        self._process = subprocess.Popen(
            [node, str(tools / SERVER), "--stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._answers: dict[int, queue.Queue[Any]] = {}
        self._problems: dict[str, queue.Queue[list[dict[str, Any]]]] = {}
        self._requests = 0
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "hover": {"contentFormat": ["markdown"]},
            },
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._tell("initialized", {})

    def open(self, file: Path, text: str) -> list[dict[str, Any]]:
        """Open a file with that text in it, whatever is on the disk; returns what the server complains of."""
        uri = file.as_uri()
        self._problems[uri] = queue.Queue()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return self._problems[uri].get(timeout=ANSWER_SECONDS)

    def completions(self, file: Path, line: int, column: int) -> dict[str, str]:
        """What is offered at a place (both from 0): labels, each with what is said about it."""
        answer = self._ask("textDocument/completion", _at(file, line, column))
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return {item["label"]: _text(item.get("documentation")) for item in items}

    def hover(self, file: Path, line: int, column: int) -> str:
        answer = self._ask("textDocument/hover", _at(file, line, column))
        return _text(answer["contents"]) if answer else ""

    def close(self) -> None:
        try:
            self._ask("shutdown", None)
            self._tell("exit", None)
            self._process.wait(10)
        except (queue.Empty, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(10)
        self._reader.join(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    # --- the wire ---

    def _ask(self, method: str, params: Any) -> Any:
        self._requests += 1
        answers: queue.Queue[Any] = queue.Queue()
        self._answers[self._requests] = answers
        self._send({"id": self._requests, "method": method, "params": params})
        answer = answers.get(timeout=ANSWER_SECONDS)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer.get("result")

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        with self._writing:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            self._process.stdin.flush()

    def _read(self) -> None:
        """Sort what comes until the server ends: answers, complaints, and questions of its own."""
        while (message := self._message()) is not None:
            method = message.get("method")
            if method is None:
                self._answers.pop(message["id"]).put(message)
            elif method == "textDocument/publishDiagnostics":
                found = self._problems.get(message["params"]["uri"])
                if found is not None:
                    found.put(message["params"]["diagnostics"])
            elif "id" in message:
                asked = message["params"].get("items", []) if method == "workspace/configuration" else None
                result = None if asked is None else [_CONFIGURATION.get(item.get("section"), {}) for item in asked]
                self._send({"id": message["id"], "result": result})

    def _message(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            return None
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


def _at(file: Path, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": file.as_uri()}, "position": {"line": line, "character": column}}


def _text(content: Any) -> str:
    """Of a text, a MarkupContent, or a list of them."""
    if isinstance(content, list):
        return "\n".join(map(_text, content))
    return str(content.get("value", "")) if isinstance(content, dict) else str(content or "")
