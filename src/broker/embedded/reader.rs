//! Reading chosen partitions from chosen offsets, in no group: restoring, projecting, looking.

use std::sync::Arc;

use crate::broker::{Error, NextOffsets, PollBounds, ReadBatch, Shown};
use crate::clock::Stopwatch;

use super::Handle;
use super::cursor::{Cursor, Room, Stop};
use super::sync::locked;

/// Reads chosen partitions.
#[derive(Debug)]
pub struct Reader {
    handle: Arc<Handle>,
    cursors: Vec<Cursor>,
    turn: usize,
}

impl Reader {
    pub(super) fn open(handle: &Arc<Handle>, from: &NextOffsets) -> Result<Self, Error> {
        for (topic, partition) in from.keys() {
            if *partition >= handle.shared.partitions(*topic)? {
                return Err(Error::Topics(format!(
                    "{} has no partition {partition}",
                    topic.name()
                )));
            }
        }
        let cursors = from.iter().map(|(at, next)| Cursor::new(*at, *next)).collect();
        Ok(Self { handle: Arc::clone(handle), cursors, turn: 0 })
    }

    /// What is committed and not read yet; waits for a first record.
    ///
    /// # Errors
    ///
    /// `Storage` when the log failed or a segment is damaged; `Fatal` when it was closed.
    pub fn poll(&mut self, bounds: &PollBounds) -> Result<ReadBatch, Error> {
        let watch = Stopwatch::start();
        loop {
            let version = locked(&self.handle.shared.state).version;
            let batch = self.read(bounds)?;
            let left = self.handle.shared.wait_of(bounds).saturating_sub(watch.elapsed());
            if !batch.records.is_empty() || left.is_zero() {
                return Ok(batch);
            }
            self.handle.shared.await_change(version, left);
        }
    }

    /// The same, shown to `see` by key and value.
    ///
    /// # Errors
    ///
    /// As [`Reader::poll`].
    pub fn show(
        &mut self,
        bounds: &PollBounds,
        mut see: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<Shown, Error> {
        let ReadBatch { records, next, at_end } = self.poll(bounds)?;
        for record in &records {
            see(record.key.as_deref().unwrap_or_default(), record.value.as_deref());
        }
        Ok(Shown { records: records.len(), next, at_end })
    }

    fn read(&mut self, bounds: &PollBounds) -> Result<ReadBatch, Error> {
        let mut room = Room::of(bounds);
        let mut records = Vec::new();
        let count = self.cursors.len().max(1);
        let turn = self.turn % count;
        self.turn = self.turn.wrapping_add(1);
        let mut at_end = true;
        let (before, from) = self.cursors.split_at_mut(turn);
        for cursor in from.iter_mut().chain(before) {
            let stop = cursor.read(&self.handle.shared, usize::MAX, &mut room, &mut records)?;
            at_end &= stop == Stop::AtEnd;
        }
        let next = self.cursors.iter().map(|cursor| (cursor.at, cursor.next)).collect();
        Ok(ReadBatch { records, next, at_end })
    }
}
