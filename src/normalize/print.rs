//! `dmstream normalize`: bodies in, events out, one JSON object a line; no broker.
//!
//! What a stream holds is told by itself:
//! - its first line is a JSON document: every line is a body (JSON lines; a body on one line is the smallest case);
//! - all of it is one document: it is one body, however many lines it takes;
//! - neither, but some line is a document: every line is a body, the broken ones too;
//! - none of these: one body, and a dead letter.
//!
//! Blank lines between bodies are passed over.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::domain::event::{Event, EventKind};
use crate::domain::time::Timestamp;
use crate::normalize::{Accounts, json, normalize};

/// Most bytes of one body.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Bodies read.
    pub bodies: u64,
    /// Events printed that concern a thread or an account.
    pub events: u64,
    /// Lines of type `ignored`.
    pub ignored: u64,
    /// Lines of type `dead_letter`.
    pub dead_letters: u64,
}

/// Prints what `normalize` would write for the bodies in `input`.
///
/// # Errors
///
/// When reading or writing fails, or a body is larger than 64 MiB.
pub fn print(
    input: impl Read,
    out: &mut impl Write,
    accounts: &Accounts,
    received_at: Timestamp,
) -> io::Result<Summary> {
    let mut input = BufReader::new(input);
    let mut printer = Printer { out, accounts, received_at, summary: Summary::default() };
    let mut first = Vec::new();
    while first.trim_ascii().is_empty() && read_line(&mut input, &mut first)? {}
    if is_document(&first) {
        printer.body(&first)?;
        let mut line = Vec::new();
        while read_line(&mut input, &mut line)? {
            printer.line(&line)?;
        }
    } else {
        let mut whole = first;
        input.by_ref().take(BODY_BYTES_MAX + 1).read_to_end(&mut whole)?;
        within_bound(&whole)?;
        let mut lines = whole.split(|byte| *byte == b'\n');
        if !is_document(&whole) && lines.any(is_document) {
            for line in whole.split(|byte| *byte == b'\n') {
                printer.line(line)?;
            }
        } else {
            printer.body(&whole)?;
        }
    }
    printer.out.flush()?;
    Ok(printer.summary)
}

struct Printer<'a, W> {
    out: &'a mut W,
    accounts: &'a Accounts,
    received_at: Timestamp,
    summary: Summary,
}

impl<W: Write> Printer<'_, W> {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if line.trim_ascii().is_empty() { Ok(()) } else { self.body(line) }
    }

    fn body(&mut self, body: &[u8]) -> io::Result<()> {
        self.summary.bodies += 1;
        for event in normalize(body, self.received_at, self.accounts) {
            self.count(&event);
            serde_json::to_writer(&mut *self.out, &event)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn count(&mut self, event: &Event) {
        if let EventKind::Ignored { .. } = event.kind {
            self.summary.ignored += 1;
        } else if let EventKind::DeadLetter { .. } = event.kind {
            self.summary.dead_letters += 1;
        } else {
            self.summary.events += 1;
        }
    }
}

/// Replaces `line` with the next one; `false` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    input.take(BODY_BYTES_MAX + 1).read_until(b'\n', line)?;
    within_bound(line)?;
    Ok(!line.is_empty())
}

fn within_bound(body: &[u8]) -> io::Result<()> {
    if BODY_BYTES_MAX < body.len() as u64 {
        let message = format!("a body has more than {BODY_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(())
}

/// Whether the bytes are one JSON object or array by themselves.
fn is_document(bytes: &[u8]) -> bool {
    let opens = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | 0xef));
    opens && json::parse(&String::from_utf8_lossy(bytes)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = r#"{"object":"instagram","entry":[{"id":"1","messaging":[{"sender":{"id":"9"},"recipient":{"id":"1"},"timestamp":1700000000001,"read":{"mid":"m"}}]}]}"#;
    const PAGE: &str = r#"{"object":"page","entry":[]}"#;

    #[track_caller]
    fn check(input: &str, expected: &[&str]) {
        let mut out = Vec::new();
        let summary =
            print(input.as_bytes(), &mut out, &Accounts::All, Timestamp::from_ms(7)).unwrap();
        let out = String::from_utf8(out).unwrap();
        let types: Vec<String> = out
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(types, expected);
        let lines = summary.events + summary.ignored + summary.dead_letters;
        assert_eq!(lines, expected.len() as u64);
    }

    #[test]
    fn a_stream_is_one_document_or_one_body_a_line() {
        let pretty =
            |body: &str| format!("{:#}", serde_json::from_str::<serde_json::Value>(body).unwrap());
        check(READ, &["message.read"]);
        check(&pretty(READ), &["message.read"]);
        check(&format!("\n\n{}\n", pretty(READ)), &["message.read"]);
        check(&format!("{READ}\n\n{PAGE}\r\n{READ}"), &["message.read", "ignored", "message.read"]);
        check(&format!("\u{feff}{READ}"), &["message.read"]);
        check(&format!("{READ}\nbroken\n{PAGE}\n"), &["message.read", "dead_letter", "ignored"]);
        check(&format!("broken\n{READ}\n"), &["dead_letter", "message.read"]);
        check("", &["dead_letter"]);
        check("broken\nin two lines", &["dead_letter"]);
        check(&format!("[{READ},\n{READ}]"), &["message.read", "message.read"]);
    }
}
