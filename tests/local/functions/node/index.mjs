// A function that does what its event says.
class QuotaExceeded extends Error {
  name = "QuotaExceeded";
}

const ACTIONS = {
  echo: (event) => event,
  fail: (event) => {
    throw new QuotaExceeded(event.message);
  },
  mangle: () => {
    throw new QuotaExceeded("\ud800");
  },
  throwText: () => {
    throw "only text";
  },
  look: (_event, context) => ({
    environment: process.env,
    context,
    remaining_ms: context.getRemainingTimeInMillis(),
    pid: process.pid,
    version: process.version,
  }),
  say: (event) => console.log(event.message),
  sleep: (event) => new Promise((resolve) => setTimeout(resolve, event.seconds * 1000)),
  bigint: () => 1n,
  reject: () => void Promise.reject(new Error("nobody waits")) ?? new Promise(() => {}),
};

let deliveries = 0;

export const handler = async (event, context) => {
  if (event.Records) return { deliveries: (deliveries += 1) };
  return ACTIONS[event.do](event, context);
};

export const callback = (event, context, done) => done(null, event);
