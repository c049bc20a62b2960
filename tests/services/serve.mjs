// Answers the events of one Node service: `node serve.mjs <path of index.mjs>`, one JSON line in, one JSON line out.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { handler } = await import(pathToFileURL(process.argv[2]));

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { output: await handler(JSON.parse(line)) };
  } catch (error) {
    answer = { error: { name: error.name, message: error.message } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
