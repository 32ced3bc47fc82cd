//! The manifest: which segments there are, up to where each is true, and from which journal on to replay.
//!
//! Promise: it is replaced whole, and it is checked when read. Not here: when it is written (`keeper`).

use std::collections::BTreeMap;

use crate::broker::{Error, NextOffsets};
use crate::domain::time::Timestamp;
use crate::topics::Topic;

use super::disk::Disk;
use super::journal::{damaged, put_offsets, read_offsets};
use super::segment::{Log, Segment};
use super::wire::{Wire, check_of, put_bytes, put_len, put_u32, put_u64};

/// Its file.
pub(super) const NAME: &str = "manifest";
const MAGIC: &[u8; 4] = b"DMSM";
/// The layout of manifest, journal and segments together.
const LAYOUT: u32 = 1;

/// What stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Manifest {
    /// The first journal to replay.
    pub(super) journal: u64,
    /// The sequence of its first frame.
    pub(super) sequence: u64,
    /// The number of the next segment.
    pub(super) next_segment: u64,
    /// Each partition's log.
    pub(super) logs: BTreeMap<(Topic, u32), Log>,
    /// Committed offsets by group.
    pub(super) offsets: BTreeMap<String, NextOffsets>,
}

/// The topic called `name`.
pub(super) fn topic_named(name: &str) -> Option<Topic> {
    Topic::ALL.into_iter().find(|topic| topic.name() == name)
}

impl Manifest {
    /// The manifest on `disk`, if there is one.
    pub(super) fn load(disk: &Disk) -> Result<Option<Self>, Error> {
        let names = disk.names()?;
        if !names.iter().any(|name| name == NAME) {
            return match names.iter().find(|name| name.starts_with("segment-")) {
                None => Ok(None),
                Some(_) => Err(Error::Storage(format!(
                    "{NAME} is missing beside segments: restore the data directory from a copy, \
                     or move it away as a whole to start with an empty log"
                ))),
            };
        }
        let body = disk.open(NAME)?;
        let bytes = body.read(0, usize::try_from(body.size()?).unwrap_or(usize::MAX))?;
        let mut wire = Wire(&bytes);
        let (magic, layout, check) = (wire.raw(4), wire.u32(), wire.u64());
        if magic != Some(MAGIC) || check != Some(check_of(wire.0)) {
            return Err(damaged(NAME, 0));
        }
        if layout != Some(LAYOUT) {
            return Err(Error::Storage(format!(
                "{NAME} was written by another version (layout {}): run that version",
                layout.unwrap_or(0)
            )));
        }
        Self::decode(wire).map(Some).ok_or_else(|| {
            Error::Storage(format!(
                "{NAME} names topics this version does not know: run the version that wrote it"
            ))
        })
    }

    /// Puts it on `disk`.
    pub(super) fn save(&self, disk: &Disk) -> Result<(), Error> {
        let body = self.encode();
        let mut bytes = MAGIC.to_vec();
        put_u32(&mut bytes, LAYOUT);
        put_u64(&mut bytes, check_of(&body));
        bytes.extend_from_slice(&body);
        disk.replace(NAME, &bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        for number in [self.journal, self.sequence, self.next_segment] {
            put_u64(&mut to, number);
        }
        put_len(&mut to, self.logs.len());
        for ((topic, partition), log) in &self.logs {
            put_bytes(&mut to, topic.name().as_bytes());
            put_u32(&mut to, *partition);
            put_u64(&mut to, log.end);
            put_len(&mut to, log.segments.len());
            for segment in &log.segments {
                let Segment { id, base, end, bytes, oldest, newest, clean } = *segment;
                for number in [id, base, end, bytes, oldest.as_ms(), newest.as_ms()] {
                    put_u64(&mut to, number);
                }
                put_u32(&mut to, u32::from(clean));
            }
        }
        put_offsets(&mut to, &self.offsets);
        to
    }

    fn decode(mut wire: Wire<'_>) -> Option<Self> {
        let (journal, sequence, next_segment) = (wire.u64()?, wire.u64()?, wire.u64()?);
        let mut logs = BTreeMap::new();
        for _ in 0..wire.u32()? {
            let at = (topic_named(wire.text()?)?, wire.u32()?);
            let mut log = Log { end: wire.u64()?, segments: Vec::new() };
            for _ in 0..wire.u32()? {
                let (id, base, end) = (wire.u64()?, wire.u64()?, wire.u64()?);
                let bytes = wire.u64()?;
                let oldest = Timestamp::from_ms(wire.u64()?);
                let newest = Timestamp::from_ms(wire.u64()?);
                let clean = wire.u32()? != 0;
                log.segments.push(Segment { id, base, end, bytes, oldest, newest, clean });
            }
            drop(logs.insert(at, log));
        }
        let offsets = read_offsets(&mut wire)?;
        Some(Self { journal, sequence, next_segment, logs, offsets })
    }
}
