//! Reading frames: one after the other, whether their headers say how large they are or not.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Cursor, Read};

use zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

use super::failed;

/// A header is believed up to here before a byte of its frame was read: it may be any number.
const BELIEVED_MAX: usize = 1 << 20;
/// Room for what comes of a frame whose header says nothing, as a multiple of its own size.
const GUESSED_TIMES: usize = 4;

thread_local! {
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::default();
}

/// All that the frames in `packed` hold.
///
/// # Errors
///
/// [`io::ErrorKind::UnexpectedEof`] when the last frame is cut, and what the library says of bytes that are no frame.
pub fn decode_all(packed: &[u8]) -> io::Result<Vec<u8>> {
    CONTEXT.with_borrow_mut(|context| unpack(context, packed))
}

fn unpack(context: &mut DCtx<'_>, packed: &[u8]) -> io::Result<Vec<u8>> {
    // The frame before this one may have failed half way.
    context.reset(ResetDirective::SessionOnly).map_err(failed)?;
    let mut plain = Vec::with_capacity(room_for(packed));
    let mut input = InBuffer::around(packed);
    let mut is_whole = true;
    while input.pos() < packed.len() || !is_whole {
        let (read, had) = (input.pos(), plain.len());
        if had == plain.capacity() {
            plain.reserve(plain.capacity().max(1));
        }
        let mut output = OutBuffer::around_pos(&mut plain, had);
        let left = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
        is_whole = left == 0;
        if !is_whole && input.pos() == read && plain.len() == had {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the frame is cut"));
        }
    }
    Ok(plain)
}

/// How much the first frame holds, if its header says so and it can be believed.
fn room_for(packed: &[u8]) -> usize {
    let said = zstd_safe::get_frame_content_size(packed).ok().flatten();
    let said = said.and_then(|bytes| usize::try_from(bytes).ok());
    said.unwrap_or_else(|| packed.len().saturating_mul(GUESSED_TIMES)).clamp(1, BELIEVED_MAX)
}

/// Reads what the frames in a slice hold.
pub struct Decoder<'a> {
    packed: &'a [u8],
    plain: Option<Cursor<Vec<u8>>>,
}

impl<'a> Decoder<'a> {
    /// Nothing read yet.
    ///
    /// # Errors
    ///
    /// None: the crate this one stands in for has some.
    pub const fn new(packed: &'a [u8]) -> io::Result<Self> {
        Ok(Self { packed, plain: None })
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let plain = match self.plain.take() {
            Some(plain) => plain,
            None => Cursor::new(decode_all(self.packed)?),
        };
        self.plain.insert(plain).read(into)
    }
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("packed_bytes", &self.packed.len()).finish_non_exhaustive()
    }
}
