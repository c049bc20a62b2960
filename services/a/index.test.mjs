import assert from "node:assert/strict";
import { test } from "node:test";

import { handler } from "./index.mjs";

const count = async (text) => {
  const { sha256, ...counts } = await handler({ input: text });
  return Object.values(counts);
};

test("the digest is that of the text's UTF-8 bytes", async () => {
  // Source: FIPS 180-4, the example for "abc".
  assert.equal((await handler({ input: "abc" })).sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("the counts are bytes, characters, newlines, words and the longest line", async () => {
  const cases = [
    ["", [0, 0, 0, 0, 0]],
    ["word", [4, 4, 0, 1, 4]],
    ["no newline\nat the end", [21, 21, 1, 5, 10]],
    ["one\r\nthree\r\n", [12, 12, 2, 2, 5]], // the CR of a CRLF is a character, but no part of the line
    ["\n\n\n", [3, 3, 3, 0, 0]],
    ["naïve café\n", [13, 11, 1, 2, 10]],
    ["古池や\n蛙飛びこむ\n水の音\n", [36, 14, 3, 3, 5]],
    ["👩‍🚀 🚀", [16, 5, 0, 2, 5]], // an astronaut is three characters: woman, joiner, rocket
  ];
  for (const [text, expected] of cases) assert.deepEqual(await count(text), expected, JSON.stringify(text));
});

test("white space is what it is to wc, and not what it is to a regular expression", async () => {
  const words = async (text) => (await handler({ input: text })).words;
  assert.equal(await words("a\u00a0b\u2060c\u3000d"), 4); // no-break space, word joiner, ideographic space
  assert.equal(await words("a\ufeffb\u0085c\u200bd"), 1); // byte-order mark, next line, zero-width space
});

test("the text may come in an object, whose other fields are left alone", async () => {
  assert.deepEqual(await handler({ input: { text: "one two", tasks: 1 } }), await handler({ input: "one two" }));
});

test("the output does not repeat the text", async () => {
  assert.doesNotMatch(JSON.stringify(await handler({ input: "secret" })), /secret/);
});

test("what is not a text is refused by name, in one line that says what it is", async () => {
  const start = 'input must be a string, or an object whose "text" is a string, and it is ';
  const cases = [
    [undefined, "null"],
    [null, "null"],
    [7, "a number"],
    [true, "a boolean"],
    [["a"], "a list"],
    [{}, 'an object without "text"'],
    [{ text: null }, 'an object whose "text" is null'],
    [{ text: {} }, 'an object whose "text" is an object'],
  ];
  for (const [input, found] of cases) {
    await assert.rejects(handler({ input }), { name: "InvalidInput", message: start + found });
  }
});

test("half a surrogate pair is refused: it has no bytes to count", async () => {
  await assert.rejects(handler({ input: "a\ud83d" }), { name: "InvalidInput", message: /lone surrogate/ });
});
