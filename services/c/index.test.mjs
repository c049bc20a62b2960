import assert from "node:assert/strict";
import { test } from "node:test";

import { handler } from "./index.mjs";

const sha256 = "ab".repeat(32);
const A = { sha256, bytes: 12, characters: 12, lines: 1, words: 2, longest_line_characters: 11 };
const FOUND = {
  B1: { total_words: 2, distinct_words: 2, hapax_words: 2, top: [{ word: "hello", count: 1 }] },
  B2: { sentences: 1, words: 2, syllables: 3, flesch_reading_ease: 77.91, flesch_kincaid_grade: 2.89 },
  B3: { bytes: 12, entropy_bits_per_byte: 3.0221, zlib: { bytes: 20, ratio: 0.6 }, zstd: { bytes: 21, ratio: 0.5714 } },
};

const upstream = (changes = {}) => {
  const branch = (id) => ({ sha256, document: A, ...FOUND[id] });
  return { B1: branch("B1"), B2: branch("B2"), B3: branch("B3"), ...changes };
};

test("the report holds each part's findings once", async () => {
  const { sha256: _, ...counts } = A;
  assert.deepEqual(await handler({ upstream: upstream() }), {
    summary: "2 words in 1 sentence, 12 bytes (21 with zstd), Flesch reading ease 77.91",
    sha256,
    counts,
    frequencies: FOUND.B1,
    readability: FOUND.B2,
    compressibility: FOUND.B3,
  });
});

test("A may be a direct dependency instead, and its branches need not carry it", async () => {
  const direct = { A, B1: { sha256, document: null, ...FOUND.B1 }, B2: { sha256, ...FOUND.B2 }, B3: { sha256, ...FOUND.B3 } };
  assert.deepEqual(await handler({ upstream: direct }), await handler({ upstream: upstream() }));
});

test("other dependencies are no concern of the report", async () => {
  assert.deepEqual(await handler({ upstream: upstream({ D: 1 }) }), await handler({ upstream: upstream() }));
});

test("what is missing is named", async () => {
  const { B2, ...withoutB2 } = upstream();
  const start = "the report needs the outputs of A, B1, B2 and B3, and lacks ";
  const hint = '; A\'s is taken from upstream, or from the "document" of B1, B2 or B3';
  await assert.rejects(handler({ upstream: withoutB2 }), { name: "MissingUpstream", message: `${start}B2` });
  await assert.rejects(handler({ upstream: {} }), { name: "MissingUpstream", message: `${start}A, B1, B2, B3${hint}` });
  await assert.rejects(handler({}), { name: "MissingUpstream" });
});

test("an output of another service is named, with what it lacks", async () => {
  const message = 'upstream.B1 is not an output of service b1: it has no "total_words"';
  const cases = [
    [{ B1: { ...FOUND.B3, sha256, document: A } }, message],
    [{ B1: null }, 'upstream.B1 is not an output of service b1: it has no "sha256"'],
    [{ B1: { sha256, ...FOUND.B1, document: 7 } }, 'upstream.B1.document is not an output of service a: it has no "sha256"'],
  ];
  for (const [changes, expected] of cases) {
    await assert.rejects(handler({ upstream: upstream(changes) }), { name: "InvalidUpstream", message: expected });
  }
});

test("parts that read different texts are no report", async () => {
  const other = "cd".repeat(32);
  const cases = [
    [{ B2: { ...upstream().B2, sha256: other } }, `sha256 is ${sha256} in B1.document and ${other} in B2: they read different texts`],
    [{ B3: { ...upstream().B3, bytes: 13 } }, "bytes is 12 in B1.document and 13 in B3: they read different texts"],
    [{ B3: { ...upstream().B3, document: { ...A, words: 3 } } }, "B1.document and B3.document are different outputs of A"],
    [{ A: { ...A, sha256: other } }, `sha256 is ${other} in A and ${sha256} in B1.document: they read different texts`],
  ];
  for (const [changes, message] of cases) {
    await assert.rejects(handler({ upstream: upstream(changes) }), { name: "InconsistentUpstream", message });
  }
});

test("the summary leaves out what a text does not have", async () => {
  const carried = (changes) => {
    const document = { ...A, ...changes.A };
    const parts = Object.entries(FOUND).map(([id, found]) => [id, { sha256, document, ...found, ...changes[id] }]);
    return Object.fromEntries(parts);
  };
  const empty = carried({ A: { bytes: 0 }, B3: { bytes: 0 } });
  assert.equal((await handler({ upstream: empty })).summary, "An empty text");
  const emoji = carried({ A: { bytes: 4, words: 1 }, B2: { sentences: 0, flesch_reading_ease: null }, B3: { bytes: 4 } });
  assert.equal((await handler({ upstream: emoji })).summary, "1 word in 0 sentences, 4 bytes (21 with zstd)");
});
