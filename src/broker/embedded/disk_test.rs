//! What is there after reopening and after damage. Random histories: `history_test`.

use std::path::Path;

use super::test_room::{
    INPUT, OUTPUT, append, open, output, polled, read, settings, taken, values,
};
use super::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Error, NextOffsets, Remedy};

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    append(&broker, output(INPUT, 0, "k", "one"));
    append(&broker, output(INPUT, 0, "k", "two"));
    let mut session = taken(&broker, "a");
    session.send(&output(OUTPUT, 0, "k", "out")).unwrap();
    session.commit(&NextOffsets::from([((INPUT, 0), 1)])).unwrap();
    drop(session);
    broker.close().unwrap();
    let broker = open(dir.path());
    assert_eq!(values(&broker, (OUTPUT, 0)), ["out"]);
    assert_eq!(polled(&mut taken(&broker, "a")), [(0, "two".to_owned())]);
    append(&broker, output(INPUT, 0, "k", "three"));
    assert_eq!(read(&broker, (INPUT, 0), 2).records[0].offset, 2);
}

#[test]
fn a_second_opener_is_refused_and_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    let error = EmbeddedBroker::open(dir.path(), &settings()).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    broker.close().unwrap();
    drop(open(dir.path()));
    drop(open(dir.path()));
}

#[test]
fn a_partition_count_is_never_changed() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let more = EmbeddedSettings { partitions: Some(4), ..settings() };
    let error = EmbeddedBroker::open(dir.path(), &more).unwrap_err();
    assert!(matches!(error, Error::Topics(_)));
    assert!(error.to_string().contains("stored with 2 partitions and 4"), "{error}");
    drop(open(dir.path()));
}

/// A directory as a kill leaves it: copied while it is open.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn only(dir: &Path, kind: &str) -> std::path::PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind));
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths.remove(0)
}

#[test]
fn a_torn_end_is_set_aside_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    append(&broker, output(INPUT, 0, "k", "kept"));
    let kept = std::fs::metadata(only(dir.path(), "journal-")).unwrap().len();
    append(&broker, output(INPUT, 0, "k", "torn"));
    for cut in [kept + 1, kept + 20, kept + 60] {
        let copy = copied(dir.path());
        let path = only(copy.path(), "journal-");
        let bytes = std::fs::read(&path).unwrap();
        let cut = usize::try_from(cut).unwrap();
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let again = open(copy.path());
        assert_eq!(values(&again, (INPUT, 0)), ["kept"]);
        let kept = usize::try_from(kept).unwrap();
        assert_eq!(std::fs::read(only(copy.path(), "torn-")).unwrap(), &bytes[kept..cut]);
        append(&again, output(INPUT, 0, "k", "next"));
        drop(again);
        assert_eq!(values(&open(copy.path()), (INPUT, 0)), ["kept", "next"]);
    }
}

#[test]
fn damage_is_an_error_that_names_the_file_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    append(&broker, output(INPUT, 0, "k", "taken in"));
    broker.flush().unwrap();
    append(&broker, output(INPUT, 0, "k", "one"));
    append(&broker, output(INPUT, 0, "k", "two"));
    check(dir.path(), "journal-", |bytes| bytes[40] ^= 1);
    check(dir.path(), "journal-", |bytes| bytes[0] ^= 1);
    check(dir.path(), "manifest", |bytes| bytes[30] ^= 1);
    check(dir.path(), "segment-", |bytes| bytes.truncate(10));

    #[track_caller]
    fn check(dir: &Path, kind: &str, damage: impl Fn(&mut Vec<u8>)) {
        let copy = copied(dir);
        let path = only(copy.path(), kind);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let before = files(copy.path());
        let error = EmbeddedBroker::open(copy.path(), &settings()).unwrap_err();
        assert_eq!(error.remedy(), Remedy::Stop);
        assert!(error.to_string().contains(kind), "{error}");
        assert!(error.to_string().contains("restore"), "{error}");
        assert_eq!(files(copy.path()), before);
    }

    fn files(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> =
            entries.map(|e| (e.file_name(), std::fs::read(e.path()).unwrap())).collect();
        files.sort();
        files
    }
}

#[test]
fn files_that_are_missing_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    append(&broker, output(INPUT, 0, "k", "one"));
    broker.flush().unwrap();
    for kind in ["journal-", "manifest", "segment-"] {
        let copy = copied(dir.path());
        std::fs::remove_file(only(copy.path(), kind)).unwrap();
        let error = EmbeddedBroker::open(copy.path(), &settings()).unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
    }
}

#[test]
fn a_record_that_rotted_is_an_error_where_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let broker = open(dir.path());
    append(&broker, output(INPUT, 0, "k", "sound"));
    append(&broker, output(INPUT, 0, "k", "rotten"));
    broker.close().unwrap();
    let path = only(dir.path(), "segment-");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 6;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let broker = open(dir.path());
    let from = NextOffsets::from([((INPUT, 0), 0)]);
    let polled = broker.reader(&from).unwrap().poll(&super::test_room::bounds(9, 0));
    assert!(polled.unwrap_err().to_string().contains("segment-"));
}
