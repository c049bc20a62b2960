// Task B1: the word frequencies of a text. The contract is in README.md.
import { createHash } from "node:crypto";

const TOP = 10;
// A text without spaces (Chinese, or a long base64 line) is one word; repeated in the output it could exceed the
// limit of a task's output, which is that of the input.
const SHOWN_CHARACTERS = 64;

export async function handler(event) {
  const text = readText(event);
  const counts = countWords(text);
  const entries = [...counts];
  return {
    sha256: createHash("sha256").update(text).digest("hex"),
    document: event.upstream?.A ?? null,
    total_words: entries.reduce((total, [, count]) => total + count, 0),
    distinct_words: entries.length,
    hapax_words: entries.filter(([, count]) => count === 1).length,
    // A Map keeps the order of insertion and the sort is stable, so that ties stay in order of first appearance.
    top: entries
      .sort(([, one], [, other]) => other - one)
      .slice(0, TOP)
      .map(([word, count]) => ({ word: clip(word), count })),
  };
}

// A letter or digit, then letters, digits, combining marks, and apostrophes that have one of them after them. The first
// may not be a mark: emoji carry an invisible one (U+FE0F), which is no word.
const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:'+[\p{L}\p{M}\p{N}]+)*/gu;

function countWords(text) {
  const counts = new Map(); // not an object: "constructor" and "__proto__" are words too
  const folded = text.toLowerCase().normalize("NFC").replaceAll("\u2019", "'");
  for (const [word] of folded.matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function clip(word) {
  const characters = [...word];
  return characters.length > SHOWN_CHARACTERS ? characters.slice(0, SHOWN_CHARACTERS - 1).join("") + "…" : word;
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
