//! Many timers in little memory: what waits lies on disk, and whoever looks holds the cache.
//!
//! Memory is counted in processes of their own, where nothing else is: the test binary runs itself again with [`DIR`] set.
//! It is counted from an opened store on: what was written since then stays in memory (`docs/adr/0002-which-sled.md`).

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const DIR: &str = "DMSTREAM_STORE_TIMERS_DIR";
/// Timers that wait in one lane, and those of them that are due when somebody looks.
const WAITING: u64 = 300_000;
const DUE: u64 = 1_500;
/// Rows submitted at a time.
const TURN_ROWS: u64 = 10_000;
const ROW_BYTES: usize = 200;
const CACHE_BYTES: u64 = 8 << 20;
/// What the process that looks may grow by, from before it opens the store on. All rows in memory are twice that: 110 MB.
const GROWTH_KB_MAX: u64 = 56 << 10;
const LIMIT: Duration = Duration::from_secs(60);

/// Keys come in their order: scattered ones rewrite every leaf every time, which takes minutes here and proves no more.
fn row(n: u64) -> RowChange {
    RowChange {
        key: n.to_be_bytes().into(),
        // Not all alike, or compression would make it nothing.
        value: Some(n.to_be_bytes().repeat(ROW_BYTES / 8)),
        due_at_ms: Some(if n < DUE { n } else { 1_000_000 + (n ^ 0x1FFF) }),
    }
}

fn open(dir: &Path) -> Store {
    let settings = StoreSettings { cache_bytes: CACHE_BYTES, ..StoreSettings::default() };
    match Store::open(dir, &settings).unwrap() {
        Opened::Fresh(store) | Opened::Resumed(store, _) => store,
        Opened::Quarantined { reason, .. } => panic!("{reason}"),
    }
}

fn dir_given() -> Option<std::path::PathBuf> {
    std::env::var_os(DIR).map(Into::into)
}

/// The most memory this process ever had, in kB.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The first child's part of the test; alone it does nothing.
#[test]
fn writes_many_timers() {
    let Some(dir) = dir_given() else { return };
    let writer = StoreWriter::start(WriterSettings::default(), || 0).unwrap();
    let lane = writer.lane(open(&dir));
    for from in (0..WAITING).step_by(usize::try_from(TURN_ROWS).unwrap()) {
        lane.submit((from..from + TURN_ROWS).map(row).collect(), Checkpoint::at(from + 1)).unwrap();
    }
    lane.close(LIMIT).unwrap().close().unwrap();
    announce("all are written");
}

/// The second child's part of the test; alone it does nothing.
#[test]
fn looks_at_many_timers() {
    let Some(dir) = dir_given() else { return };
    let before = peak_kb();
    let writer = StoreWriter::start(WriterSettings::default(), || 0).unwrap();
    let lane = writer.lane(open(&dir));
    for _ in 0..100 {
        let due = lane.timers_due(999_999, 1_000).unwrap();
        assert!(due.iter().map(|(due, _)| *due).eq(0..1_000), "the earliest, and no more");
    }
    let looked = peak_kb() - before;
    // All of them are there, in their order, a page at a time.
    let store = lane.close(LIMIT).unwrap();
    let (mut last, mut seen) = ((0, Vec::new()), 0);
    loop {
        let page = store.timers_after((last.0, &last.1), u64::MAX, 10_000).unwrap();
        assert!(page.is_sorted());
        seen += page.len();
        let Some(end) = page.into_iter().next_back() else { break };
        last = end;
    }
    assert_eq!(u64::try_from(seen).unwrap(), WAITING);
    let all = peak_kb() - before;
    announce(&format!("{looked} kB to look a hundred times, {all} kB to see all"));
    assert!(all < GROWTH_KB_MAX, "{all}");
    announce("within bounds");
}

/// However many timers wait, whoever looks for those that are due holds the cache alone.
#[test]
fn many_timers_wait_on_disk_and_not_in_memory() {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("p0");
    check("writes_many_timers", "all are written", &dir);
    check("looks_at_many_timers", "within bounds", &dir);

    #[track_caller]
    fn check(test: &str, words: &str, dir: &Path) {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "--nocapture", &format!("store::timers_test::{test}")]);
        let again = again.env(DIR, dir).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        let cried = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success() && said.contains(words), "{said}{cried}");
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn announce(line: &str) {
    println!("{line}");
}
