//! Frames as sled writes and reads them: whole, cut, one after the other, written by others, and much of them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{self, Read, Write};

use proptest::prelude::*;
use zstd::stream::{Encoder, decode_all, read};

/// `sled` a hundred times, as `zstd -1 --no-check --no-content-size` writes it, and the crate that this one stands in for: as a
/// stream, whose header does not say how much it holds.
const STREAMED: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x5d, 0x00, 0x00, 0x20, 0x73, 0x6c, 0x65, 0x64, 0x01, 0x00,
    0x89, 0xab, 0x8e, 0x08,
];

fn packed(plain: &[u8], level: i32) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), level).unwrap();
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that look like rows: some of them again and again.
fn rows() -> impl Strategy<Value = Vec<u8>> {
    let row = prop_oneof![Just(b"conversation".to_vec()), any::<[u8; 12]>().prop_map(Vec::from)];
    prop::collection::vec(row, 0..2_000).prop_map(|rows| rows.concat())
}

proptest! {
    #[test]
    fn what_was_written_is_read(plain in rows(), level in 1..=3) {
        prop_assert_eq!(decode_all(&packed(&plain, level)).unwrap(), plain);
    }

    #[test]
    fn a_frame_that_is_cut_is_an_error_and_spoils_nothing(plain in rows(), at in any::<prop::sample::Index>()) {
        let whole = packed(&plain, 1);
        let cut = whole.get(..at.index(whole.len())).unwrap();
        if !cut.is_empty() {
            prop_assert_eq!(decode_all(cut).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        prop_assert_eq!(decode_all(&whole).unwrap(), plain);
    }

    #[test]
    fn bytes_that_are_no_frame_are_an_error(bytes in prop::collection::vec(any::<u8>(), 4..64)) {
        prop_assume!(!bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
        // Frames that hold nothing but what readers are to leave out.
        prop_assume!(!(bytes[0] & 0xf0 == 0x50 && bytes[1..4] == [0x2a, 0x4d, 0x18]));
        prop_assert!(decode_all(&bytes).is_err());
    }
}

#[test]
fn frames_that_do_not_say_how_large_they_are_are_read() {
    assert_eq!(decode_all(STREAMED).unwrap(), "sled".repeat(100).into_bytes());
}

#[test]
fn frames_are_read_one_after_the_other() {
    let two = [packed(b"one ", 1), packed(b"after the other", 3), packed(b"", 1)].concat();
    assert_eq!(decode_all(&two).unwrap(), b"one after the other");
    assert_eq!(decode_all(&[]).unwrap(), b"");
}

/// A header may say any size: no memory is taken on its word.
#[test]
fn a_header_that_lies_takes_no_memory() {
    // One segment of eight bytes' length, which it does not hold.
    let lie = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 60).to_le_bytes(), &[1, 0, 0]];
    assert!(decode_all(&lie.concat()).is_err());
}

#[test]
fn much_is_written_and_read_and_little_after_it() {
    let much: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for plain in [&much[..], b"little", &much[..1_000_000], b""] {
        assert_eq!(decode_all(&packed(plain, 3)).unwrap(), plain);
    }
}

#[test]
fn a_reader_reads_in_pieces_and_fails_when_it_is_asked() {
    let frame = packed(b"in pieces", 1);
    let mut reader = read::Decoder::new(&frame).unwrap();
    let (mut piece, mut rest) = ([0; 3], String::new());
    reader.read_exact(&mut piece).unwrap();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!((&piece, rest.as_str()), (b"in ", "pieces"));
    let mut cut = read::Decoder::new(&frame[..5]).unwrap();
    assert_eq!(cut.read(&mut piece).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_written_goes_behind_what_is_there() {
    let mut log = b"frame:".to_vec();
    let mut encoder = Encoder::new(&mut log, 1).unwrap();
    encoder.write_all(b"leaf").unwrap();
    encoder.flush().unwrap();
    let _end = encoder.finish().unwrap();
    assert_eq!(decode_all(log.strip_prefix(b"frame:").unwrap()).unwrap(), b"leaf");
}

/// Contexts are a thread's own: many threads write and read at once.
#[test]
fn threads_are_not_in_each_others_way() {
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                for size in 0..200 {
                    let plain = vec![thread; size * 50];
                    assert_eq!(decode_all(&packed(&plain, 1)).unwrap(), plain);
                }
            });
        }
    });
}
