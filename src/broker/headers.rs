//! What is said about a record: names and values, in order. Pure.
//!
//! Every public record has seven of them, so all of a record lie in one buffer, and of a name that is known only its number.
//! Not here: which names there are (`record::header`).

use crate::broker::record::header;

/// Room for all of a public record: most of ours fit.
const ROOM_BYTES: usize = 288;
/// In place of a known name's number: a name written out follows.
const WRITTEN_OUT: u8 = u8::MAX;

/// Headers in order; names repeat at the writer's will, the first wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// One behind the other: the name's number, or that it is written out and its length and letters; the value's length
    /// and bytes.
    packed: Vec<u8>,
    count: usize,
    /// Bytes of all names and values.
    said_bytes: usize,
}

impl Headers {
    /// None yet, with room for what public records carry.
    #[must_use]
    pub fn roomy() -> Self {
        Self { packed: Vec::with_capacity(ROOM_BYTES), ..Self::default() }
    }

    /// Forgets all of them, and keeps the room.
    pub fn clear(&mut self) {
        self.packed.clear();
        (self.count, self.said_bytes) = (0, 0);
    }

    /// Adds `value` under `name`.
    pub fn push(&mut self, name: &str, value: &str) {
        self.push_read(name, value.as_bytes());
    }

    /// Adds what was read from a log.
    pub fn push_read(&mut self, name: &str, value: &[u8]) {
        // Ours come in their order, so the first guess is nearly always right.
        let guess = Some(self.count).filter(|at| header::COMMON.get(*at) == Some(&name));
        let known = guess.or_else(|| header::COMMON.iter().position(|known| *known == name));
        match known.and_then(|number| u8::try_from(number).ok()) {
            Some(number) => self.packed.push(number),
            None => {
                self.packed.push(WRITTEN_OUT);
                self.pack(name.as_bytes());
            }
        }
        self.pack(value);
        self.count += 1;
        self.said_bytes += name.len() + value.len();
    }

    fn pack(&mut self, bytes: &[u8]) {
        self.packed.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.packed.extend_from_slice(bytes);
    }

    /// Adds all of `others` whose names `choose` takes.
    pub fn extend_with(&mut self, others: &Self, choose: impl Fn(&str) -> bool) {
        for (name, value) in others.iter().filter(|(name, _)| choose(name)) {
            self.push_read(name, value);
        }
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = self.packed.as_slice();
        std::iter::from_fn(move || next(&mut rest))
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// There are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes of all names and values.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.said_bytes
    }

    /// The first value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The first value under `name`, when it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// The name and value in front; nothing at the end.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let (number, behind) = rest.split_first()?;
    *rest = behind;
    let name = match header::COMMON.get(usize::from(*number)) {
        Some(known) => known,
        None => std::str::from_utf8(unpack(rest)?).ok()?,
    };
    Some((name, unpack(rest)?))
}

fn unpack<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, behind) = rest.split_first_chunk()?;
    let (bytes, behind) =
        behind.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    *rest = behind;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in all {
            headers.push_read(name, value.as_bytes());
        }
        headers
    }

    #[test]
    fn they_come_back_in_their_order_and_the_first_of_a_name_wins() {
        let all = [("ce_id", "1"), ("", ""), ("x", "ä"), ("ce_id", "2"), ("x", "")];
        let headers = headers(&all);
        let back: Vec<(&str, &[u8])> = headers.iter().collect();
        assert_eq!(back, all.map(|(name, value)| (name, value.as_bytes())));
        assert_eq!((headers.len(), headers.bytes()), (5, 16));
        assert_eq!(headers.text(header::ID), Some("1"));
        assert_eq!((headers.get("x"), headers.get("y")), (Some("ä".as_bytes()), None));
    }

    #[test]
    fn known_names_are_numbers_wherever_they_stand() {
        check(&[(header::SPEC_VERSION, "1.0"), (header::ID, "1")], 2 * 9 + 4);
        check(&[(header::TRACE_PARENT, "00"), (header::ID, "1")], 2 * 9 + 3);
        check(&[("other", "1"), (header::SPEC_VERSION, "1.0")], (9 + 8 + 6) + (9 + 3));

        #[track_caller]
        fn check(all: &[(&str, &str)], packed_bytes: usize) {
            let headers = headers(all);
            assert_eq!(headers.packed.len(), packed_bytes);
            assert_eq!(headers.iter().count(), all.len());
        }
    }

    #[test]
    fn what_public_records_carry_fits_the_room() {
        let mut all = Headers::roomy();
        let room = all.packed.capacity();
        for (name, value) in header::COMMON.iter().zip([
            "1.0",
            "ev-0123456789abcdef0123456789abcdef",
            "conversation.reopened",
            "/dmstream/conversation",
            "2023-11-14T22:13:20.123Z",
            "application/json",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ]) {
            all.push(name, value);
        }
        assert_eq!((all.len(), all.packed.capacity()), (7, room));
        all.clear();
        assert_eq!((all.bytes(), all.packed.capacity()), (0, room));
        assert_eq!(all, Headers::default());
    }

    #[test]
    fn a_choice_of_them_is_taken_over() {
        let mut some = headers(&[("a", "1")]);
        some.extend_with(&headers(&[("b", "2"), ("c", "3"), ("d", "")]), |name| name != "c");
        assert_eq!(some, headers(&[("a", "1"), ("b", "2"), ("d", "")]));
    }

    #[test]
    fn what_is_no_text_is_not_read_as_text() {
        let mut headers = Headers::roomy();
        headers.push_read("bad", &[0xff]);
        assert!(!headers.is_empty());
        assert_eq!((headers.text("bad"), headers.get("bad")), (None, Some(&[0xff][..])));
    }
}
