//! The one who writes: takes what waits, makes it one frame of the journal, then puts it where readers find it.
//!
//! Promise: nobody is told before the frame is synced; after a failure nothing more is written, for what the disk then
//! holds is known only after reading it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::broker::Error;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::topics::{Cleanup, Topic};

use super::disk::Body;
use super::entry;
use super::journal::{Append, Change, Journal};
use super::segment::Segment;
use super::settings::SyncPolicy;
use super::shared::{Broken, Request, Shared, State};
use super::sync::locked;

/// So many bytes go into one frame, beyond its first request.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// The journal may grow to so many times its bound before commits wait for the keeper.
const JOURNAL_PATIENCE: u64 = 4;

/// What only the one who writes touches.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) journal: Journal,
    /// The files that grow, by segment.
    active: BTreeMap<(Topic, u32), (u64, Arc<Body>)>,
    /// Files written since they were last synced, by segment.
    pub(super) unsynced: BTreeMap<u64, Arc<Body>>,
    pub(super) next_segment: u64,
}

impl Writer {
    /// A writer that goes on with `journal`.
    pub(super) fn new(journal: Journal, next_segment: u64) -> Self {
        Self { journal, active: BTreeMap::new(), unsynced: BTreeMap::new(), next_segment }
    }

    fn body(
        &mut self,
        shared: &Shared,
        at: (Topic, u32),
        segment: &Segment,
    ) -> Result<Arc<Body>, Error> {
        if let Some((_, body)) = self.active.get(&at).filter(|(id, _)| *id == segment.id) {
            return Ok(Arc::clone(body));
        }
        let name = segment.file_name();
        let body = if segment.bytes == 0 {
            shared.disk.create(&name)?
        } else {
            shared.disk.open(&name)?
        };
        drop(self.active.insert(at, (segment.id, Arc::clone(&body))));
        Ok(body)
    }

    /// Closes the segments that are full or too old.
    pub(super) fn roll(
        &mut self,
        shared: &Shared,
        state: &mut State,
        at: (Topic, u32),
        now: Timestamp,
    ) {
        let Some(log) = state.logs.get_mut(&at) else { return };
        let bytes_max = shared.settings.segment_bytes_max;
        let full =
            log.segments.last().is_some_and(|last| last.is_full(bytes_max, span_ms(at.0), now));
        if full {
            log.segments.push(Segment::empty(self.next_segment, log.end));
            self.next_segment += 1;
        }
    }
}

/// A segment is closed when it spans so long, so that what is old can go.
fn span_ms(topic: Topic) -> u64 {
    let declared = topic.declaration();
    match declared.cleanup {
        Cleanup::Compact => DAY_MS,
        Cleanup::Delete => declared.retention_ms.map_or(u64::MAX, |kept| kept / 8),
    }
}

impl Shared {
    /// Writes what waits until `answer` is there.
    pub(super) fn write_until(&self, answer: &Receiver<Result<(), Error>>) -> Result<(), Error> {
        loop {
            match answer.try_recv() {
                Ok(result) => return result,
                Err(TryRecvError::Disconnected) => {
                    return Err(Error::Storage("the log's writer ended early".to_owned()));
                }
                Err(TryRecvError::Empty) => self.write_waiting(),
            }
        }
    }

    /// Writes what waits: one frame, one sync.
    pub(super) fn write_waiting(&self) {
        let mut writer = locked(&self.writer);
        let requests = self.take_waiting();
        if requests.is_empty() {
            return;
        }
        let (change, accepted) = self.number(requests);
        let done = if accepted.is_empty() { Ok(()) } else { self.write(&mut writer, change) };
        let held = writer.journal.held();
        drop(writer);
        if let Err(error) = done {
            self.give_out(Broken::Failed(error.to_string()));
            for request in accepted {
                request.answer.tell(Err(Error::Storage("its outcome is unknown".to_owned())));
            }
            return;
        }
        for request in accepted {
            request.answer.tell(Ok(()));
        }
        self.call_keeper(held);
    }

    fn call_keeper(&self, held: u64) {
        let bound = self.settings.journal_bytes_max;
        let due = held > bound || self.is_keeping_due();
        // A failure breaks the log, and the next call says so.
        if !self.disk.is_durable() && due {
            drop(self.keep());
        } else if held > bound.saturating_mul(JOURNAL_PATIENCE) {
            drop(self.checkpoint());
        } else if due {
            // Under the queue's lock, so that the keeper cannot fall asleep in between.
            let queue = locked(&self.queue);
            self.keeper_due.store(true, Ordering::SeqCst);
            self.keeping.notify_all();
            drop(queue);
        }
    }

    fn take_waiting(&self) -> Vec<Request> {
        let mut queue = locked(&self.queue);
        let (mut taken, mut bytes) = (Vec::new(), 0_usize);
        while bytes < FRAME_BYTES_MAX {
            let Some(request) = queue.requests.pop_front() else { break };
            bytes += request.bytes;
            taken.push(request);
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        taken
    }

    /// Gives offsets to what is allowed; answers what is not.
    fn number(&self, requests: Vec<Request>) -> (Change, Vec<Request>) {
        let mut state = locked(&self.state);
        let mut change = Change::default();
        let mut accepted = Vec::new();
        for mut request in requests {
            let allowed = state.check().and_then(|()| match &request.seat {
                None => Ok(()),
                Some(claim) => state.group(&claim.group).check_owns(&claim.seat, &claim.lanes),
            });
            if let Err(error) = allowed {
                request.answer.tell(Err(error));
                continue;
            }
            if let Some(claim) = &mut request.seat {
                let next = std::mem::take(&mut claim.next);
                change.offsets.entry(claim.group.clone()).or_default().extend(next);
            }
            for (partition, output) in std::mem::take(&mut request.outputs) {
                number_one(&state, &mut change, partition, &output);
            }
            accepted.push(request);
        }
        (change, accepted)
    }

    fn write(&self, writer: &mut Writer, change: Change) -> Result<(), Error> {
        let sync = self.settings.sync == SyncPolicy::EveryCommit;
        writer.journal.append(&change, sync)?;
        self.apply(writer, change)
    }

    /// Puts a change that is in the journal where readers find it.
    pub(super) fn apply(&self, writer: &mut Writer, change: Change) -> Result<(), Error> {
        let now = self.settings.clock.now();
        let mut places = Vec::with_capacity(change.appends.len());
        {
            let mut state = locked(&self.state);
            for (at, append) in change.appends {
                writer.roll(self, &mut state, at, now);
                let log = state.logs.get(&at).filter(|log| log.end == append.base);
                let last = log.and_then(|log| log.segments.last()).copied();
                let Some(segment) = last else {
                    let name = at.0.name();
                    return Err(Error::Storage(format!(
                        "{name}/{}: the journal does not fit",
                        at.1
                    )));
                };
                places.push((at, segment, append));
            }
        }
        for (at, segment, append) in &places {
            let body = writer.body(self, *at, segment)?;
            body.write(segment.bytes, &append.bytes)?;
            drop(writer.unsynced.insert(segment.id, body));
        }
        let mut state = locked(&self.state);
        for (at, _, append) in places {
            let Some(log) = state.logs.get_mut(&at) else { continue };
            log.end = append.end;
            if let Some(segment) = log.segments.last_mut() {
                let times = (append.oldest, append.newest);
                segment.grow(append.bytes.len() as u64, append.end, times);
            }
        }
        for (group, next) in change.offsets {
            state.group(&group).offsets.extend(next);
        }
        self.announce(&mut state);
        Ok(())
    }
}

fn number_one(
    state: &State,
    change: &mut Change,
    partition: u32,
    output: &crate::broker::record::Output,
) {
    let at = (output.topic, partition);
    let append = change.appends.entry(at).or_insert_with(|| {
        let base = state.logs.get(&at).map_or(0, |log| log.end);
        let (oldest, newest) = (output.timestamp, output.timestamp);
        Append { base, end: base, oldest, newest, bytes: Vec::new() }
    });
    entry::encode(&mut append.bytes, append.end, output);
    append.end += 1;
    append.oldest = append.oldest.min(output.timestamp);
    append.newest = append.newest.max(output.timestamp);
}
