//! Opening a log: what the manifest promises is looked at, what the journals hold beyond it is done again.
//!
//! Promise: every acknowledged change is there, none in part; a torn end is set aside in a file of its own, never erased;
//! anything else that is not as written is an error that names the file, and then nothing was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Condvar, Mutex};

use crate::broker::Error;
use crate::topics::{Topic, catalogue};

use super::disk::Disk;
use super::group::Group;
use super::journal::{self, Change, End, Journal};
use super::keeper::Keeper;
use super::manifest::Manifest;
use super::segment::Log;
use super::settings::EmbeddedSettings;
use super::shared::{Queue, Shared, State};
use super::sync::locked;
use super::writer::Writer;

/// Opens what is on `disk`, or begins there.
pub(super) fn open(disk: Disk, settings: &EmbeddedSettings) -> Result<Shared, Error> {
    let mut manifest = match Manifest::load(&disk)? {
        Some(manifest) => manifest,
        None => Manifest { journal: 1, sequence: 1, ..Manifest::default() },
    };
    let partitions = counted(&manifest, settings)?;
    for (topic, count) in &partitions {
        for partition in 0..*count {
            if !manifest.logs.contains_key(&(*topic, partition)) {
                let log = Log::empty(manifest.next_segment);
                drop(manifest.logs.insert((*topic, partition), log));
                manifest.next_segment += 1;
            }
        }
    }
    let found = read_journals(&disk, &manifest)?;
    check_segments(&disk, &manifest)?;
    // From here on files change; everything that could refuse has been asked.
    tidy(&disk, &manifest, &found)?;
    let logs = std::mem::take(&mut manifest.logs);
    let offsets = std::mem::take(&mut manifest.offsets);
    let groups = offsets.into_iter().map(|(name, offsets)| (name, Group::resumed(offsets)));
    let state = State { logs, partitions, groups: groups.collect(), ..State::default() };
    let journal = Journal::create(&disk, found.next_number, found.sequence)?;
    let shared = Shared {
        settings: settings.clone(),
        disk,
        state: Mutex::new(state),
        changed: Condvar::new(),
        queue: Mutex::new(Queue::default()),
        queued: Condvar::new(),
        keeping: Condvar::new(),
        writer: Mutex::new(Writer::new(journal, manifest.next_segment)),
        keeper: Mutex::new(Keeper::new(found.numbers)),
        round: Mutex::new(()),
        keeper_due: AtomicBool::new(false),
        kept_at: AtomicU64::new(settings.clock.now().as_ms()),
        stopping: AtomicBool::new(false),
    };
    for change in found.changes {
        shared.apply(&mut locked(&shared.writer), change)?;
    }
    shared.checkpoint()?;
    Ok(shared)
}

/// How many partitions each topic has; what is stored is not changed.
fn counted(
    manifest: &Manifest,
    settings: &EmbeddedSettings,
) -> Result<BTreeMap<Topic, u32>, Error> {
    let mut stored: BTreeMap<Topic, u32> = BTreeMap::new();
    for (topic, _) in manifest.logs.keys() {
        *stored.entry(*topic).or_default() += 1;
    }
    let mut counts = BTreeMap::new();
    for topic in Topic::ALL {
        let declared = topic.declaration().partitions;
        let usual = settings.partitions.unwrap_or(catalogue().defaults.partitions);
        let asked = declared.unwrap_or(usual).max(1);
        if let Some(stored) = stored.get(&topic).filter(|stored| **stored != asked) {
            return Err(Error::Topics(format!(
                "{} is stored with {stored} partitions and {asked} are asked for; a count is never changed, \
                 for keys would move: ask for {stored}, or begin in an empty directory",
                topic.name()
            )));
        }
        counts.insert(topic, asked);
    }
    Ok(counts)
}

/// What the journals hold beyond the manifest.
struct Found {
    changes: Vec<Change>,
    sequence: u64,
    numbers: BTreeSet<u64>,
    next_number: u64,
    /// The last journal's number and end.
    last: Option<(u64, End)>,
}

fn read_journals(disk: &Disk, manifest: &Manifest) -> Result<Found, Error> {
    let names = disk.names()?;
    let numbers: BTreeSet<u64> = names.iter().filter_map(|name| journal::number_of(name)).collect();
    let live: Vec<u64> = numbers.range(manifest.journal..).copied().collect();
    let mut found = Found {
        changes: Vec::new(),
        sequence: manifest.sequence,
        next_number: manifest.journal,
        last: None,
        numbers,
    };
    for (number, expected) in live.iter().zip(manifest.journal..) {
        if *number != expected {
            return Err(missing(expected));
        }
        let last = Some(number) == live.last();
        let end = journal::replay(disk, (*number, last), found.sequence, |change| {
            found.changes.push(change);
        })?;
        found.sequence = end.sequence;
        // One that was still being made is made again: a number is never skipped.
        found.next_number = number + u64::from(end.sound > 0);
        found.last = Some((*number, end));
    }
    let saved = names.iter().any(|name| name == super::manifest::NAME);
    if live.is_empty() && saved {
        return Err(missing(manifest.journal));
    }
    Ok(found)
}

fn missing(number: u64) -> Error {
    Error::Storage(format!(
        "{} is missing: nothing was changed; restore the data directory from a copy, \
         or move it away as a whole to start with an empty log",
        journal::file_name(number)
    ))
}

/// That every segment the manifest names has the bytes it promises.
fn check_segments(disk: &Disk, manifest: &Manifest) -> Result<(), Error> {
    for segment in manifest.logs.values().flat_map(|log| &log.segments) {
        if segment.bytes > 0 {
            let body = disk.open(&segment.file_name())?;
            let size = body.size()?;
            if size < segment.bytes {
                let at = usize::try_from(size).unwrap_or(usize::MAX);
                return Err(journal::damaged(body.name(), at));
            }
        }
    }
    Ok(())
}

/// Removes what the manifest does not promise: the journals bring it back.
fn tidy(disk: &Disk, manifest: &Manifest, found: &Found) -> Result<(), Error> {
    if let Some((number, end)) = &found.last {
        set_aside(disk, *number, end)?;
    }
    let mut promised = BTreeSet::new();
    for segment in manifest.logs.values().flat_map(|log| &log.segments) {
        if segment.bytes > 0 {
            let name = segment.file_name();
            let body = disk.open(&name)?;
            if body.size()? > segment.bytes {
                body.cut(segment.bytes)?;
            }
            promised.insert(name);
        }
    }
    for name in disk.names()? {
        if name.starts_with("segment-") && !promised.contains(&name) {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

/// Cuts a torn end off a journal, after it was copied away.
fn set_aside(disk: &Disk, number: u64, end: &End) -> Result<(), Error> {
    if end.sound == 0 || end.torn.is_empty() {
        return Ok(());
    }
    let name = format!("torn-{number:012}");
    disk.replace(&name, &end.torn)?;
    tracing::warn!(
        log.torn_bytes = end.torn.len(),
        log.file = %name,
        "the journal ended in a write that was never acknowledged; it was set aside"
    );
    let body = disk.open(&journal::file_name(number))?;
    body.cut(end.sound)?;
    body.sync()
}
