// What the counter under the composer says of a text, and whether it can be sent. Pure: no page, no desk.
"use strict";

const LIMIT = 640; // Characters of a message, as code points.
const NEAR = 630; // From here the counter is orange, from the limit on red.
const BYTES_MAX = 1000; // What Instagram takes, as UTF-8.

function counted(text) {
  const characters = [...text].length;
  const bytes = new TextEncoder().encode(text).length;
  return {
    text: `${characters}/${LIMIT}`,
    className: characters >= LIMIT ? "full" : characters >= NEAR ? "near" : "",
    sendable: characters <= LIMIT && bytes <= BYTES_MAX && text.trim() !== "",
  };
}

// A page has no `module`; the tests have no page.
if (typeof module !== "undefined") module.exports = { counted };
