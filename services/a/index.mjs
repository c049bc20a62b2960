// Task A: what `wc` says about a text, and its digest. The contract is in README.md.
import { createHash } from "node:crypto";

export async function handler(event) {
  const text = readText(event);
  const utf8 = Buffer.from(text);
  return {
    sha256: createHash("sha256").update(utf8).digest("hex"),
    bytes: utf8.length,
    characters: countCharacters(text),
    lines: text.split("\n").length - 1,
    words: text.match(WORD)?.length ?? 0,
    longest_line_characters: text
      .split(/\r?\n/)
      .reduce((longest, line) => Math.max(longest, countCharacters(line)), 0),
  };
}

// What is not white space to GNU wc in a UTF-8 locale. It is spelled out because `\s` is another set: wc takes U+2060
// as a space and U+FEFF as not, and neither takes U+0085.
const WORD = /[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2060\u3000]+/gu;

// `length` counts UTF-16 code units, and an emoji has two of them; iterating a string goes by character.
function countCharacters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

class InvalidInput extends Error {
  name = "InvalidInput";
}

// Every service that reads the text has its own copy of this rule, since each is deployed alone;
// tests/services/test_input.py holds the copies to the same answers.
function readText({ input = null }) {
  const isObject = kindOf(input) === "an object";
  const text = isObject ? input.text : input;
  if (typeof text !== "string") {
    let found = kindOf(input);
    if (isObject) found = "text" in input ? `an object whose "text" is ${kindOf(text)}` : 'an object without "text"';
    throw new InvalidInput(`input must be a string, or an object whose "text" is a string, and it is ${found}`);
  }
  if (!text.isWellFormed()) {
    throw new InvalidInput("input must be Unicode text, and it holds a lone surrogate, which UTF-8 cannot express");
  }
  return text;
}

function kindOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return { boolean: "a boolean", number: "a number", string: "a string" }[typeof value] ?? "an object";
}
