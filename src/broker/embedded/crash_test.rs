//! Processes that die: killed with signal 9 at any moment.
//!
//! The test binary runs itself again with [`DIR`] set; the child's test then commits until it is ended.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::test_room::{INPUT, OUTPUT, append, output, read, settings, taken, values, wait};
use super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{NextOffsets, PollBounds, Polled, Remedy};

const DIR: &str = "DMSTREAM_EMBEDDED_TEST_DIR";

fn open(dir: &Path) -> EmbeddedBroker {
    // Small, so that kills meet every kind of house-keeping.
    let small =
        EmbeddedSettings { segment_bytes_max: 4_000, journal_bytes_max: 10_000, ..settings() };
    EmbeddedBroker::open(dir, &small).unwrap()
}

/// This test binary again, at one test, with a directory to write in.
fn child(test: &str, dir: &Path, shell: &str) -> Child {
    let script =
        format!("{shell} exec \"$0\" --exact --nocapture \"broker::embedded::crash_test::{test}\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap()).env(DIR, dir);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn announce(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// The child's part of the next test; alone it does nothing.
#[test]
fn copies_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let broker = open(Path::new(&dir));
    let mut session = taken(&broker, "a");
    let mut number = read(&broker, (INPUT, 0), 0).next.values().sum::<u64>();
    let bounds = PollBounds { records_max: 50, bytes_max: 1 << 20, wait: Duration::ZERO };
    loop {
        for _ in 0..3 {
            append(&broker, output(INPUT, 0, "k", &number.to_string()));
            number += 1;
            announce(&format!("appended {number}"));
        }
        let Polled::Records { records, .. } = session.poll(&bounds).unwrap() else { continue };
        let mut next = NextOffsets::new();
        for record in &records {
            let value = String::from_utf8(record.bytes().to_vec()).unwrap();
            session.send(&output(OUTPUT, 0, "k", &value)).unwrap();
            session.send(&output(OUTPUT, 1, "k", &value)).unwrap();
            next.insert((INPUT, 0), record.offset + 1);
        }
        session.commit(&next).unwrap();
        announce(&format!("committed {}", next[&(INPUT, 0)]));
    }
}

/// EB-1, EB-2.
#[test]
fn a_killed_log_holds_all_that_was_acknowledged_and_no_half_of_a_commit() {
    let room = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..12_u64 {
        let mut child = child("copies_until_killed", room.path(), "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut appended, mut committed) = (0, 0);
        let mut hear = |line: String| {
            let number = |at: Option<&str>| at.and_then(|text| text.trim().parse().ok());
            if let Some(n) = number(line.split("appended ").nth(1)) {
                appended = n;
            }
            if let Some(n) = number(line.split("committed ").nth(1)) {
                committed = n;
            }
            committed
        };
        while hear(lines.next().expect("the child ended by itself").unwrap()) < written + 9 {}
        std::thread::sleep(Duration::from_millis(round * 2));
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            hear(line);
        }
        child.wait().unwrap();
        written = check(room.path(), appended, committed);
    }

    /// What was said is there, outputs and offsets agree; says how far the offsets are.
    #[track_caller]
    fn check(dir: &Path, appended: u64, committed: u64) -> u64 {
        let broker = open(dir);
        let inputs = values(&broker, (INPUT, 0));
        assert!(inputs.len() as u64 >= appended, "said {appended}, holds {}", inputs.len());
        let mut state = super::sync::locked(&broker.handle.shared.state);
        let next = state.group("stage").offsets[&(INPUT, 0)];
        drop(state);
        assert!(next >= committed, "said {committed}, holds {next}");
        let copied = &inputs[..usize::try_from(next).unwrap()];
        assert_eq!(values(&broker, (OUTPUT, 0)), copied);
        assert_eq!(values(&broker, (OUTPUT, 1)), copied);
        next
    }
}

/// The child's part of the next test; alone it does nothing.
#[test]
fn appends_until_the_disk_is_full() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let broker = EmbeddedBroker::open(Path::new(&dir), &settings()).unwrap();
    let producer = broker.producer().unwrap();
    for number in 0_u32.. {
        let value = format!("{number} {}", "x".repeat(10_000));
        match wait(producer.append(output(INPUT, 0, "k", &value))) {
            Ok(()) => announce(&format!("appended {number}")),
            Err(error) => {
                assert_eq!(error.remedy(), Remedy::Stop);
                let again = wait(producer.append(output(INPUT, 0, "k", "v")));
                assert_eq!(again.unwrap_err().remedy(), Remedy::Stop);
                announce("refused");
                return;
            }
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_acknowledged_is_there_once_there_is_room() {
    let room = tempfile::tempdir().unwrap();
    // A bound on the size of files, in blocks of 512 bytes, with its signal ignored, is a full disk.
    let bound = "trap '' XFSZ; ulimit -f 2000;";
    let child = child("appends_until_the_disk_is_full", room.path(), bound);
    let said = child.wait_with_output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("refused"), "{said}");
    let acknowledged = said.matches("appended ").count();
    assert!(acknowledged > 50, "{acknowledged}");
    let broker = open(room.path());
    let held = values(&broker, (INPUT, 0));
    assert!(held.len() == acknowledged || held.len() == acknowledged + 1, "{}", held.len());
    append(&broker, output(INPUT, 0, "k", "next"));
}
