//! Keeping house: the journal is taken in, old segments go, compacted topics are compacted.
//!
//! Promise: nothing is removed before a manifest that does without it is on disk; no step holds up commits for longer
//! than a new journal takes. What is compacted is written beside what is read, then swapped.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use xxhash_rust::xxh3::xxh3_128;

use crate::broker::Error;
use crate::broker::record::Record;
use crate::topics::{Cleanup, Topic};

use super::cursor::Walk;
use super::disk::Body;
use super::entry;
use super::journal::{self, Journal};
use super::manifest::Manifest;
use super::segment::Segment;
use super::shared::{Broken, Shared};
use super::sync::locked;

/// So many bytes are written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What can go once the next manifest is on disk.
#[derive(Debug)]
pub(super) struct Keeper {
    journals: BTreeSet<u64>,
    segments: Vec<String>,
}

impl Keeper {
    /// With journals that are there.
    pub(super) const fn new(journals: BTreeSet<u64>) -> Self {
        Self { journals, segments: Vec::new() }
    }
}

impl Shared {
    /// Whether the time has come.
    pub(super) fn is_keeping_due(&self) -> bool {
        let every = u64::try_from(self.settings.keep_every.as_millis()).unwrap_or(u64::MAX);
        let now = self.settings.clock.now().as_ms();
        now.saturating_sub(self.kept_at.load(Ordering::SeqCst)) >= every
    }

    /// One round of all of it.
    pub(super) fn keep(&self) -> Result<(), Error> {
        // Commits that wait for a checkpoint do not wait for this.
        let _round = locked(&self.round);
        drop(self.state()?);
        self.keeper_due.store(false, Ordering::SeqCst);
        self.kept_at.store(self.settings.clock.now().as_ms(), Ordering::SeqCst);
        let done = self.keep_as();
        if let Err(error) = &done {
            self.give_out(Broken::Failed(error.to_string()));
        }
        done
    }

    /// Takes the journal in, so that the next opening has nothing to do again.
    pub(super) fn checkpoint(&self) -> Result<(), Error> {
        let mut keeper = locked(&self.keeper);
        drop(self.state()?);
        let done = self.checkpoint_as(&mut keeper);
        if let Err(error) = &done {
            self.give_out(Broken::Failed(error.to_string()));
        }
        done
    }

    fn keep_as(&self) -> Result<(), Error> {
        let places: Vec<(Topic, u32)> = locked(&self.state).logs.keys().copied().collect();
        for at in places {
            let declared = at.0.declaration();
            self.close_old(at);
            match (declared.cleanup, declared.retention_ms) {
                (Cleanup::Compact, _) => self.compact(at)?,
                (Cleanup::Delete, Some(kept_ms)) => self.forget(at, kept_ms),
                (Cleanup::Delete, None) => (),
            }
        }
        let mut keeper = locked(&self.keeper);
        let held = locked(&self.writer).journal.held();
        if held > 0 || !keeper.segments.is_empty() {
            self.checkpoint_as(&mut keeper)
        } else {
            Ok(())
        }
    }

    /// Closes the growing segment when it is old: it might never grow again.
    fn close_old(&self, at: (Topic, u32)) {
        let mut writer = locked(&self.writer);
        let now = self.settings.clock.now();
        writer.roll(self, &mut locked(&self.state), at, now);
    }

    fn checkpoint_as(&self, keeper: &mut Keeper) -> Result<(), Error> {
        let (manifest, unsynced) = {
            let mut writer = locked(&self.writer);
            let sequence = writer.journal.sequence();
            let number = writer.journal.number + 1;
            let fresh = Journal::create(&self.disk, number, sequence)?;
            let full = std::mem::replace(&mut writer.journal, fresh);
            keeper.journals.insert(full.number);
            let state = locked(&self.state);
            let offsets = state.groups.iter().filter(|(_, group)| !group.offsets.is_empty());
            let manifest = Manifest {
                journal: number,
                sequence,
                next_segment: writer.next_segment,
                logs: state.logs.clone(),
                offsets: offsets
                    .map(|(name, group)| (name.clone(), group.offsets.clone()))
                    .collect(),
            };
            (manifest, std::mem::take(&mut writer.unsynced))
        };
        for body in unsynced.values() {
            body.sync()?;
        }
        self.disk.sync_names()?;
        manifest.save(&self.disk)?;
        for number in std::mem::take(&mut keeper.journals) {
            self.disk.remove(&journal::file_name(number))?;
        }
        for name in std::mem::take(&mut keeper.segments) {
            self.disk.remove(&name)?;
        }
        Ok(())
    }

    /// Lets segments go whose newest record is older than `kept_ms`.
    fn forget(&self, at: (Topic, u32), kept_ms: u64) {
        let now = self.settings.clock.now();
        let mut keeper = locked(&self.keeper);
        let mut state = locked(&self.state);
        let Some(log) = state.logs.get_mut(&at) else { return };
        let old = |segment: &&Segment| now.since_ms(segment.newest) > kept_ms;
        let count = log.closed().iter().take_while(old).count();
        keeper.segments.extend(log.segments.drain(..count).map(|segment| segment.file_name()));
    }

    /// Rewrites a partition's closed segments without what later records replaced.
    fn compact(&self, at: (Topic, u32)) -> Result<(), Error> {
        let closed = locked(&self.state).logs.get(&at).map(|log| log.closed().to_vec());
        let closed = closed.unwrap_or_default();
        if !self.is_worth_it(at.0, &closed) {
            return Ok(());
        }
        let (newest, count) = self.newest_offsets(at, &closed)?;
        let old = closed.get(..count).unwrap_or_default();
        let fresh = self.rewrite(at, old, &newest)?;
        // No checkpoint is under way while this is held: what goes is still named by none but the old manifest.
        let mut keeper = locked(&self.keeper);
        let mut state = locked(&self.state);
        if let Some(log) = state.logs.get_mut(&at) {
            // Only this round removes segments.
            let gone = log.segments.splice(..count, fresh);
            keeper.segments.extend(gone.map(|segment| segment.file_name()));
        }
        Ok(())
    }

    /// Half as much is new as was compacted before, or what is new is old enough to matter.
    fn is_worth_it(&self, topic: Topic, closed: &[Segment]) -> bool {
        let dirty: u64 = closed.iter().filter(|one| !one.clean).map(|one| one.bytes).sum();
        let clean: u64 = closed.iter().filter(|one| one.clean).map(|one| one.bytes).sum();
        let waits = self.tombstones_kept_ms(topic);
        let now = self.settings.clock.now();
        let old = closed.iter().any(|one| !one.clean && now.since_ms(one.newest) > waits);
        dirty > 0 && (dirty.saturating_mul(2) >= clean || old)
    }

    fn tombstones_kept_ms(&self, topic: Topic) -> u64 {
        let elsewhere = u64::try_from(self.settings.tombstones_kept.as_millis());
        topic.declaration().deletions_kept_ms.unwrap_or(elsewhere.unwrap_or(u64::MAX))
    }

    /// The newest offset of each key in the segments not yet compacted, and how many segments from the start that covers.
    fn newest_offsets(
        &self,
        at: (Topic, u32),
        closed: &[Segment],
    ) -> Result<(HashMap<u128, u64>, usize), Error> {
        let mut newest = HashMap::new();
        let mut count = 0;
        for segment in closed {
            if newest.len() >= self.settings.compaction_keys_max {
                break;
            }
            if !segment.clean {
                self.each(at, segment, |record| {
                    newest.insert(key_of(&record), record.offset);
                    Ok(())
                })?;
            }
            count += 1;
        }
        Ok((newest, count))
    }

    fn each(
        &self,
        at: (Topic, u32),
        segment: &Segment,
        mut see: impl FnMut(Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if segment.bytes > 0 {
            let mut walk = Walk::new(segment, self.disk.open(&segment.file_name())?);
            while let Some((record, _)) = walk.next(at)? {
                see(record)?;
            }
        }
        Ok(())
    }

    fn rewrite(
        &self,
        at: (Topic, u32),
        old: &[Segment],
        newest: &HashMap<u128, u64>,
    ) -> Result<Vec<Segment>, Error> {
        let (now, waits) = (self.settings.clock.now(), self.tombstones_kept_ms(at.0));
        let mut fresh = Fresh { shared: self, done: Vec::new(), open: None };
        for segment in old {
            self.each(at, segment, |record| {
                let replaced = newest.get(&key_of(&record)).is_some_and(|at| *at > record.offset);
                let gone = record.value.is_none() && now.since_ms(record.timestamp) > waits;
                if replaced || gone { Ok(()) } else { fresh.put(&record) }
            })?;
        }
        let mut fresh = fresh.finish()?;
        if let (Some(last), Some(end)) = (fresh.last_mut(), old.last()) {
            last.end = end.end;
        }
        Ok(fresh)
    }
}

fn key_of(record: &Record) -> u128 {
    xxh3_128(record.key.as_deref().unwrap_or_default())
}

/// Segments that compaction is writing.
struct Fresh<'a> {
    shared: &'a Shared,
    done: Vec<Segment>,
    open: Option<(Segment, Arc<Body>, Vec<u8>, u64)>,
}

impl Fresh<'_> {
    fn put(&mut self, record: &Record) -> Result<(), Error> {
        let full = self
            .open
            .as_ref()
            .is_some_and(|(segment, ..)| segment.bytes >= self.shared.settings.segment_bytes_max);
        if full {
            self.close()?;
        }
        if self.open.is_none() {
            // It begins where the one before ends: the offsets between them are gaps.
            let base = self.done.last().map_or(record.offset, |last| last.end);
            self.open = Some(self.begin(base)?);
        }
        if let Some((segment, body, buffer, written)) = &mut self.open {
            let before = buffer.len();
            entry::encode_again(buffer, record);
            let times = (record.timestamp, record.timestamp);
            segment.grow((buffer.len() - before) as u64, record.offset + 1, times);
            if buffer.len() >= CHUNK_BYTES {
                body.write(*written, buffer)?;
                *written += buffer.len() as u64;
                buffer.clear();
            }
        }
        Ok(())
    }

    fn begin(&self, base: u64) -> Result<(Segment, Arc<Body>, Vec<u8>, u64), Error> {
        let mut writer = locked(&self.shared.writer);
        let segment = Segment { clean: true, ..Segment::empty(writer.next_segment, base) };
        writer.next_segment += 1;
        drop(writer);
        Ok((segment, self.shared.disk.create(&segment.file_name())?, Vec::new(), 0))
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some((segment, body, buffer, written)) = self.open.take() {
            body.write(written, &buffer)?;
            body.sync()?;
            self.done.push(segment);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Segment>, Error> {
        self.close()?;
        Ok(self.done)
    }
}
