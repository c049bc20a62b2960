// Task C: one report of what A, B1, B2 and B3 found. The contract is in README.md.
import { isDeepStrictEqual } from "node:util";

export async function handler({ upstream = {} }) {
  const parts = collect(upstream);
  requireSameText(parts);
  const { sha256, ...counts } = parts.documents[0].output;
  const [frequencies, readability, compressibility] = ["B1", "B2", "B3"].map((id) => findingsOf(upstream[id]));
  return {
    summary: summarize(counts, readability, compressibility),
    sha256,
    counts,
    frequencies,
    readability,
    compressibility,
  };
}

// What each part must have to be what it is taken for. "sha256" is the digest of the text that the task read.
const FIELDS = {
  A: ["sha256", "bytes", "characters", "lines", "words", "longest_line_characters"],
  B1: ["sha256", "total_words", "distinct_words", "hapax_words", "top"],
  B2: ["sha256", "sentences", "words", "syllables", "flesch_reading_ease", "flesch_kincaid_grade"],
  B3: ["sha256", "bytes", "entropy_bits_per_byte", "zlib", "zstd"],
};

// A task gets the outputs of its direct dependencies only. In A -> (B1, B2, B3) -> C, A is none of C's, so each B carries
// A's output on as its "document"; a workflow that has A in C's `after` works too.
function collect(upstream) {
  const branches = ["B1", "B2", "B3"].filter((id) => id in upstream);
  const documents = [
    { at: "A", output: upstream.A },
    ...branches.map((id) => ({ at: `${id}.document`, output: upstream[id]?.document })),
  ].filter(({ output }) => output !== undefined && output !== null);

  const missing = ["B1", "B2", "B3"].filter((id) => !branches.includes(id));
  if (documents.length === 0) missing.unshift("A");
  if (missing.length > 0) {
    const hint = missing.includes("A") ? `; A's is taken from upstream, or from the "document" of B1, B2 or B3` : "";
    throw new MissingUpstream(`the report needs the outputs of A, B1, B2 and B3, and lacks ${missing.join(", ")}${hint}`);
  }
  for (const { at, output } of documents) requireFields("A", at, output);
  for (const id of branches) requireFields(id, id, upstream[id]);
  return { documents, branches: branches.map((id) => ({ at: id, output: upstream[id] })) };
}

function requireFields(id, at, output) {
  const isObject = output !== null && typeof output === "object";
  const lacking = isObject ? FIELDS[id].find((field) => !(field in output)) : FIELDS[id][0];
  if (lacking !== undefined) {
    throw new InvalidUpstream(`upstream.${at} is not an output of service ${id.toLowerCase()}: it has no "${lacking}"`);
  }
}

// What the tasks found can't be checked here, but that they looked at the same text can. The counts of words are no such
// check: wc parts words at white space, and B1 and B2 go by the letters of their own runtimes' versions of Unicode.
function requireSameText({ documents, branches }) {
  const [first, ...others] = [...documents, ...branches];
  for (const other of others) requireEqual("sha256", first, other);
  for (const other of documents.slice(1)) {
    if (!isDeepStrictEqual(first.output, other.output)) {
      throw new InconsistentUpstream(`${first.at} and ${other.at} are different outputs of A`);
    }
  }
  requireEqual("bytes", first, branches.find(({ at }) => at === "B3"));
}

function requireEqual(field, one, other) {
  const [a, b] = [one.output[field], other.output[field]];
  if (a !== b) {
    throw new InconsistentUpstream(`${field} is ${a} in ${one.at} and ${b} in ${other.at}: they read different texts`);
  }
}

function findingsOf({ sha256, document, ...findings }) {
  return findings;
}

function summarize({ words, bytes }, { sentences, flesch_reading_ease: ease }, { zstd }) {
  if (bytes === 0) return "An empty text";
  const length = `${counted(words, "word")} in ${counted(sentences, "sentence")}`;
  const size = `${length}, ${counted(bytes, "byte")} (${zstd.bytes} with zstd)`;
  return ease === null ? size : `${size}, Flesch reading ease ${ease}`;
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

class MissingUpstream extends Error {
  name = "MissingUpstream";
}

class InvalidUpstream extends Error {
  name = "InvalidUpstream";
}

class InconsistentUpstream extends Error {
  name = "InconsistentUpstream";
}
