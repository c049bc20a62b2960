import assert from "node:assert/strict";
import { test } from "node:test";

import { handler } from "./index.mjs";

const run = (text) => handler({ input: text });
const top = async (text) => (await run(text)).top.map(({ word, count }) => `${word} ${count}`);

test("words are counted whatever their case, and the most frequent come first", async () => {
  const { sha256, ...rest } = await run("The dog saw the cat; THE END.");
  assert.equal(sha256.length, 64);
  assert.deepEqual(rest, {
    document: null,
    total_words: 7,
    distinct_words: 5,
    hapax_words: 4,
    top: [
      { word: "the", count: 3 },
      { word: "dog", count: 1 },
      { word: "saw", count: 1 },
      { word: "cat", count: 1 },
      { word: "end", count: 1 },
    ],
  });
});

test("ties stay in order of first appearance, and ten are shown", async () => {
  const expected = ["b 2", "a 2", "l 1", "k 1", "j 1", "i 1", "h 1", "g 1", "f 1", "e 1"];
  assert.deepEqual(await top("l k j i h g f e d c b a a b"), expected);
});

test("an apostrophe belongs to a word inside it, in either spelling, and not at its ends", async () => {
  assert.deepEqual(await top("don't don’t 'quoted' dogs' rock''n ''"), ["don't 2", "quoted 1", "dogs 1", "rock''n 1"]);
});

test("hyphens, underscores and points part words, and digits make them", async () => {
  assert.deepEqual(await top("well-known snake_case 3.14"), ["well 1", "known 1", "snake 1", "case 1", "3 1", "14 1"]);
});

test("the two spellings of an accented letter are one word", async () => {
  assert.deepEqual(await top("Caf\u00e9 cafe\u0301 CAFE\u0301"), ["café 3"]);
});

test("any script has words; emoji are none", async () => {
  assert.deepEqual(await top("Привет, привет! שלום 古池や हिन्दी ❤️ 👩‍🚀"), ["привет 2", "שלום 1", "古池や 1", "हिन्दी 1"]);
});

test("words that are also names of the language's own objects are counted", async () => {
  assert.deepEqual(await top("constructor __proto__ constructor"), ["constructor 2", "proto 1"]);
});

test("an empty text has no words", async () => {
  const { total_words, distinct_words, hapax_words, top } = await run("");
  assert.deepEqual([total_words, distinct_words, hapax_words, top], [0, 0, 0, []]);
});

test("a very long word is shown cut, and counted whole", async () => {
  const { total_words, distinct_words, top } = await run(`${"語".repeat(65)} ${"語".repeat(64)}`);
  assert.deepEqual([total_words, distinct_words], [2, 2]);
  assert.deepEqual(top.map(({ word }) => word), ["語".repeat(63) + "…", "語".repeat(64)]);
});

test("A's output is carried on for the report", async () => {
  assert.deepEqual((await handler({ input: "a", upstream: { A: { bytes: 1 } } })).document, { bytes: 1 });
});

test("long runs of apostrophes take no more than linear time", async () => {
  const { total_words } = await run(`a${"'".repeat(200_000)} ${"'a".repeat(20_000)}`);
  assert.equal(total_words, 2);
});

test("what is not a text is refused by name", async () => {
  await assert.rejects(run(7), { name: "InvalidInput" });
});
