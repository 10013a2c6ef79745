// usage: node in_node.mjs PYODIDE_FOLDER PROJECT CORE_FOLDER
//
// Start Pyodide from a folder of npm's, show it the package mmsim as it lies in the project, and
// print what core.py makes, as JSON.  Nothing is installed, and no package index is asked.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideFolder, project, core] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(pyodideFolder, "pyodide.mjs")));
const py = await loadPyodide({ indexURL: pyodideFolder });
for (const [inside, outside] of [["/project", project], ["/core", core]]) {
  py.FS.mkdirTree(inside);
  py.mountNodeFS(inside, outside);
}
console.log(
  py.runPython(`
import sys
sys.dont_write_bytecode = True  # the folders are the real ones
sys.path[:0] = ["/project", "/core"]
import json
from core import made
json.dumps(made())
`),
);
