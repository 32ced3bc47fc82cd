//! What is said about a record: names and values, in order. Pure.
//!
//! Every public record has seven of them, so all values of a record lie in one buffer, and names that are known are
//! borrowed. Not here: which names there are (`record::header`).

use std::borrow::Cow;

use crate::broker::record::header;

/// Room for the values of a public record: most of ours fit.
const VALUES_BYTES: usize = 224;

/// Headers in order; names repeat at the writer's will, the first wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    places: Vec<Place>,
    /// All values, one behind the other.
    values: Vec<u8>,
}

/// A header's name, and where its value ends; it begins where the one before ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: Cow<'static, str>,
    end: usize,
}

impl Headers {
    /// None yet, with room for what public records carry.
    #[must_use]
    pub fn roomy() -> Self {
        let places = Vec::with_capacity(header::COMMON.len());
        Self { places, values: Vec::with_capacity(VALUES_BYTES) }
    }

    /// Adds `value` under `name`.
    pub fn push(&mut self, name: &'static str, value: &str) {
        self.add(Cow::Borrowed(name), value.as_bytes());
    }

    /// Adds what was read from a log; the name is copied only where it is none that public records carry.
    pub fn push_read(&mut self, name: &str, value: &[u8]) {
        // Ours come in their order, so the first guess is nearly always right.
        let guess = header::COMMON.get(self.places.len()).filter(|known| **known == name);
        let known = guess.or_else(|| header::COMMON.iter().find(|known| **known == name));
        let name = known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known));
        self.add(name, value);
    }

    fn add(&mut self, name: Cow<'static, str>, value: &[u8]) {
        self.values.extend_from_slice(value);
        self.places.push(Place { name, end: self.values.len() });
    }

    /// Adds all of `others` whose names `choose` takes.
    pub fn extend_with(&mut self, others: &Self, choose: impl Fn(&str) -> bool) {
        for (place, (_, value)) in others.places.iter().zip(others.iter()) {
            if choose(&place.name) {
                self.add(place.name.clone(), value);
            }
        }
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut begin = 0;
        self.places.iter().map(move |place| {
            let value = self.values.get(begin..place.end).unwrap_or_default();
            begin = place.end;
            (&*place.name, value)
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// There are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of all names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.places.iter().map(|place| place.name.len()).sum::<usize>() + self.values.len()
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
    fn known_names_are_not_copied_wherever_they_stand() {
        for all in [
            vec![(header::SPEC_VERSION, "1.0"), (header::ID, "1")],
            vec![(header::TRACE_PARENT, "00"), (header::ID, "1")],
        ] {
            let headers = headers(&all);
            let borrowed = headers.places.iter().all(|at| matches!(at.name, Cow::Borrowed(_)));
            assert!(borrowed, "{headers:?}");
        }
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
