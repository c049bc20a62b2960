// The Lambda runtime for Node functions on this machine: the runtime API, as AWS's own runtime speaks it.
// `bootstrap` starts it in the folder of the function's code; it loads the handler and serves one invocation after the other.
import { existsSync, mkdirSync, writeSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const API = "/2018-06-01/runtime";
// What Lambda itself sets; together with the function's own variables this is all that a function sees.
const LAMBDA_VARIABLES = [
  "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
  "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_ENDPOINT_URL", "LAMBDA_TASK_ROOT", "_HANDLER",
];

class RuntimeFailure extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

// Leaves what Lambda sets and what the function declares; hides what belongs to this machine.
function cleanEnvironment() {
  const declared = (process.env.ORCHESTRA_LOCAL_VARIABLES ?? "").split(",").filter(Boolean);
  const runtime = process.env.ORCHESTRA_LOCAL_RUNTIME ?? "nodejs";
  const temporary = path.join(process.env.TMPDIR, "functions", process.env.AWS_LAMBDA_FUNCTION_NAME);
  mkdirSync(temporary, { recursive: true });
  const kept = {};
  for (const name of [...LAMBDA_VARIABLES, ...declared]) {
    if (process.env[name] !== undefined) kept[name] = process.env[name];
  }
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "en_US.UTF-8",
    TZ: "UTC",
    HOME: temporary, // Lambda sets none; without one, libraries would read this user's files
    TMPDIR: temporary,
    AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${kept.AWS_LAMBDA_FUNCTION_NAME}`,
    AWS_EC2_METADATA_DISABLED: "true",
    POWERTOOLS_TRACE_DISABLED: "true", // there is no X-Ray daemon here
  }, kept);
}

// Ends this process when its parent is gone: a killed emulator leaves no functions running.
function endWithEmulator() {
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(0), 1000).unref();
}

// Resolves to [headers, body]. The emulator's going away ends this process: there is nobody left to serve.
function exchange(method, apiPath, body) {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
  return new Promise((resolve) => {
    const headers = { "Content-Type": "application/json" };
    if (body !== undefined) headers["Content-Length"] = Buffer.byteLength(body);
    // A connection of its own for each exchange: the server sends headers and body in two pieces, and on a kept
    // connection the late acknowledgement of the first holds the second for 40 ms.
    const request = http.request({ agent: false, host, port, method, path: API + apiPath, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", () => process.exit(0));
      response.on("end", () => {
        if (response.statusCode >= 400) process.exit(1); // this environment has been replaced by another one
        resolve([response.headers, Buffer.concat(chunks).toString()]);
      });
    });
    request.on("error", () => process.exit(0));
    request.end(body);
  });
}

let requestId = "";

// One line for each message, with the request that it belongs to, as on AWS.
function log(level, ...values) {
  const text = format(...values).replaceAll("\n", "\r");
  writeSync(1, `${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
}

function setUpLogging() {
  for (const [method, level] of Object.entries({ log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG", trace: "TRACE" })) {
    console[method] = (...values) => log(level, ...values);
  }
}

function describe(error) {
  if (error instanceof Error) {
    return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

async function fail(error) {
  const report = describe(error);
  log("ERROR", "Invoke Error", JSON.stringify(report));
  await exchange("POST", `/invocation/${requestId}/error`, JSON.stringify(report));
}

async function loadHandler(name) {
  const dot = name.lastIndexOf(".");
  if (dot < 1) throw new RuntimeFailure("Runtime.MalformedHandlerName", `Bad handler '${name}'`);
  const [module, member] = [name.slice(0, dot), name.slice(dot + 1)];
  const base = path.join(process.env.LAMBDA_TASK_ROOT, module);
  const file = ["", ".js", ".mjs", ".cjs"].map((suffix) => base + suffix).find((candidate) => existsSync(candidate));
  if (file === undefined) throw new RuntimeFailure("Runtime.ImportModuleError", `Error: Cannot find module '${module}'`);
  let loaded;
  try {
    loaded = await import(pathToFileURL(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeFailure("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    if (error?.code === "ERR_MODULE_NOT_FOUND" || error?.code === "MODULE_NOT_FOUND") {
      throw new RuntimeFailure("Runtime.ImportModuleError", `Error: ${error.message}`);
    }
    throw error;
  }
  const handler = loaded[member] ?? loaded.default?.[member];
  if (typeof handler !== "function") {
    throw new RuntimeFailure("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  }
  if (handler.length >= 3) {
    throw new RuntimeFailure("Runtime.CallbackHandlerDeprecated", "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24");
  }
  return handler;
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"] ?? "",
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
}

function marshal(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch (error) {
    throw new RuntimeFailure("Runtime.MarshalError", `Unable to stringify response body: ${error.message}`);
  }
}

// Returns the response to one event. Throws what the handler throws.
async function deliver(handler, body, context) {
  const event = JSON.parse(body);
  const source = event?.Records?.[0]?.eventSource;
  if (process.env.ORCHESTRA_LOCAL_DELIVER_TWICE === "1" && ["aws:sqs", "aws:dynamodb"].includes(source)) {
    try {
      await handler(JSON.parse(body), context);
    } catch (error) {
      // The first of the two deliveries is lost, whatever came of it.
      log("WARN", "ORCHESTRA_LOCAL_DELIVER_TWICE: the first delivery failed:", error);
    }
  }
  const result = await handler(event, context);
  if (source === "aws:dynamodb" && result?.batchItemFailures?.length > 0) {
    // The emulator ignores them for streams and would lose the records; after an error it sends the batch again.
    const failed = JSON.stringify(result.batchItemFailures.map((item) => item.itemIdentifier));
    throw new RuntimeFailure("BatchItemFailures", `records failed and the batch will be sent again: ${failed}`);
  }
  return marshal(result);
}

async function serve() {
  let handler;
  let failedInit;
  try {
    handler = await loadHandler(process.env._HANDLER);
  } catch (error) {
    failedInit = { error };
  }
  for (;;) {
    const [headers, body] = await exchange("GET", "/invocation/next");
    requestId = headers["lambda-runtime-aws-request-id"];
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
    try {
      if (failedInit) throw failedInit.error;
      const answer = await deliver(handler, body, contextOf(headers));
      // The emulator waits 50 ms for a first line of log after each invocation, but not once it has one.
      writeSync(1, "\n");
      await exchange("POST", `/invocation/${requestId}/response`, answer);
    } catch (error) {
      await fail(error);
      if (failedInit) process.exit(1); // the next invocation begins with a fresh environment, as on AWS
    }
  }
}

// As on AWS, what nobody caught fails the invocation and ends the environment.
process.on("uncaughtException", async (error) => {
  await fail(error);
  process.exit(129);
});
process.on("unhandledRejection", async (reason) => {
  await fail(new RuntimeFailure("Runtime.UnhandledPromiseRejection", String(reason)));
  process.exit(128);
});

cleanEnvironment();
endWithEmulator();
setUpLogging();
await serve();
