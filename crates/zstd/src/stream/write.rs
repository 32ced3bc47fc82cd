//! Writing a frame: gathered first, compressed at once, so that its header says how large it is.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};

use zstd_safe::{CCtx, CParameter};

use super::failed;

/// What is gathered may keep so much memory for the next frame, a thread. Leaves are smaller; lists of all leaves are not.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// What a thread keeps from one frame to the next.
#[derive(Default)]
struct Kept {
    context: CCtx<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// Gathers what is written to it, and compresses it into `W` as one frame when it is told that it is all.
pub struct Encoder<W: Write> {
    to: W,
    level: i32,
    plain: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// Nothing written yet. `level` is zstd's: 1 is fast, 3 its default.
    ///
    /// # Errors
    ///
    /// None: the crate this one stands in for has some.
    pub fn new(to: W, level: i32) -> io::Result<Self> {
        let plain = KEPT.with_borrow_mut(|kept| std::mem::take(&mut kept.plain));
        Ok(Self { to, level, plain })
    }

    /// Writes the frame. Without this call nothing is written at all.
    ///
    /// # Errors
    ///
    /// That of the writer below, or that the library has no memory.
    pub fn finish(self) -> io::Result<W> {
        let Self { mut to, level, plain } = self;
        KEPT.with_borrow_mut(|kept| {
            kept.pack(&plain, level)?;
            to.write_all(&kept.packed)?;
            kept.keep(plain);
            Ok(to)
        })
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.plain.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// Compresses into `packed`.
    fn pack(&mut self, plain: &[u8], level: i32) -> io::Result<()> {
        self.packed.clear();
        self.packed.reserve(zstd_safe::compress_bound(plain.len()));
        self.context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        self.context.compress2(&mut self.packed, plain).map_err(failed)?;
        Ok(())
    }

    /// Takes memory back for the next frame, unless it is much.
    fn keep(&mut self, mut plain: Vec<u8>) {
        plain.clear();
        self.packed.clear();
        plain.shrink_to(KEPT_BYTES_MAX);
        self.packed.shrink_to(KEPT_BYTES_MAX);
        self.plain = plain;
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("level", &self.level).finish_non_exhaustive()
    }
}
