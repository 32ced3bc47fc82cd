// The console's own logic, in Node.js: `node --test tests/console`.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");

const { counted } = require("../../console/counter.js");

// Holds: R-134
test("the counter is orange from 630 characters and red from 640", () => {
  const cases = [[0, ""], [629, ""], [630, "near"], [639, "near"], [640, "full"], [641, "full"]];
  for (const [characters, className] of cases) {
    const shown = counted("a".repeat(characters));
    assert.deepStrictEqual([shown.className, shown.text], [className, `${characters}/640`]);
  }
  const style = fs.readFileSync(path.join(__dirname, "../../console/console.css"), "utf8");
  const colour = (name) => style.match(new RegExp(`#counter\\.${name} \\{ color: #(..)(..)(..);`)).slice(1).map((part) => parseInt(part, 16));
  const [orange, red] = [colour("near"), colour("full")];
  assert.ok(orange[0] > orange[1] && orange[1] > 2 * orange[2] && orange[1] > 60, "orange");
  assert.ok(red[0] > 3 * red[1] && red[0] > 3 * red[2], "red");
});

// Holds
test("Send is on up to 640 characters and 1000 bytes, and for something said", () => {
  const cases = [["a".repeat(640), true], ["a".repeat(641), false], ["😂".repeat(250), true], ["😂".repeat(251), false], ["", false], [" \n", false]];
  for (const [text, sendable] of cases) {
    assert.strictEqual(counted(text).sendable, sendable, `${[...text].length} characters`);
  }
});

// Holds: R-133
test("a character is a code point, however many units it takes", () => {
  assert.strictEqual(counted("😂é").text, "2/640");
});
