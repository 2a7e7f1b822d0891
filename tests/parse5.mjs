// Parses pages with parse5: one JSON request a line on standard input, one JSON answer a line on standard output.
// Request: {"html": text, "scripting": true | false}. Answer: a flat list, first the mode, then each node in document
// order as [depth, kind, ...]; kinds: D doctype, E element, T text, C comment, F a template's content.
// Usage: node parse5.mjs DIRECTORY   (the one that holds node_modules/parse5)
import { createInterface } from "node:readline";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const entry = join(resolve(process.argv[2]), "node_modules", "parse5", "dist", "index.js");
const { parse } = await import(pathToFileURL(entry).href);

function flat(document) {
  const out = [document.mode];
  // a stack, for pages may nest deeper than the call stack allows
  const open = document.childNodes.map((node) => [node, 0]).reverse();
  while (open.length > 0) {
    const [node, depth] = open.pop();
    if (node.nodeName === "#text") out.push([depth, "T", node.value]);
    else if (node.nodeName === "#comment") out.push([depth, "C", node.data]);
    else if (node.nodeName === "#documentType") out.push([depth, "D", node.name ?? "", node.publicId, node.systemId]);
    else if (node.nodeName === "#document-fragment") out.push([depth, "F"]);
    else {
      const names = node.attrs.map((a) => [a.prefix ? `${a.prefix}:${a.name}` : a.name, a.value]);
      out.push([depth, "E", `${node.namespaceURI.split("/").pop()} ${node.tagName}`, names.sort()]);
    }
    const children = [...(node.childNodes ?? [])];
    if (node.nodeName === "template" && node.content) children.unshift(node.content);
    for (const child of children.reverse()) open.push([child, depth + 1]);
  }
  return out;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { html, scripting } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(flat(parse(html, { scriptingEnabled: scripting })))}\n`);
}
