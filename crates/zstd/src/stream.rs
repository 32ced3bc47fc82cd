//! Writing and reading whole frames, under the names that `zstd` gives them.

pub mod read;
pub mod write;

pub use read::decode_all;
pub use write::Encoder;

use std::io;

/// What the library below has to say about a frame, or about memory.
fn failed(code: zstd_safe::ErrorCode) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}
