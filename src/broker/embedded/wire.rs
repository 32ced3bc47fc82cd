//! Numbers and byte strings as they lie on disk. Pure.
//!
//! Promise: big-endian, lengths in front, and reading past the end is `None`, whatever the bytes say.

use xxhash_rust::xxh3::xxh3_64;

/// Adds a `u32`.
pub(super) fn put_u32(to: &mut Vec<u8>, number: u32) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// Adds a `u64`.
pub(super) fn put_u64(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// Adds a count or a length; what is beyond 32 bits was refused at the door.
pub(super) fn put_len(to: &mut Vec<u8>, len: usize) {
    put_u32(to, u32::try_from(len).unwrap_or(u32::MAX));
}

/// Adds `bytes` behind their length.
pub(super) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_len(to, bytes.len());
    to.extend_from_slice(bytes);
}

/// The checksum of everything we write.
pub(super) fn check_of(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Reads from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    /// The next `len` bytes.
    pub(super) fn raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// The next `u32`.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.raw(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The next `u64`.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.raw(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The next length.
    pub(super) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// The next byte string.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        self.raw(len)
    }

    /// The next byte string, as text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}
