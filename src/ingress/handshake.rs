//! Meta's question whether this address is ours. Pure.
//!
//! `GET ?hub.mode=subscribe&hub.challenge=…&hub.verify_token=…`: the challenge goes back as it was meant, undone from its
//! percent signs and nothing else; it is never parsed as a number.
//!
//! Source: Meta, Webhooks, "Verification Requests".

use crate::ingress::secrets::VerifyToken;
use crate::ingress::signature;

/// What a handshake is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The bytes to echo.
    Challenge(Vec<u8>),
    /// Not our token, or not a subscription.
    Refused,
    /// One of the three parameters is missing.
    Incomplete,
}

/// Answers the query of a handshake; of a repeated parameter the first counts.
pub(super) fn answer(query: &str, token: &VerifyToken) -> Answer {
    let given = (
        parameter(query, "hub.mode"),
        parameter(query, "hub.verify_token"),
        parameter(query, "hub.challenge"),
    );
    let (Some(mode), Some(given_token), Some(challenge)) = given else { return Answer::Incomplete };
    let is_ours = signature::is_equal(token.as_bytes(), &given_token);
    if is_ours && mode == b"subscribe" { Answer::Challenge(challenge) } else { Answer::Refused }
}

fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| decode(key) == name.as_bytes()).map(|(_, value)| decode(value))
}

/// Undoes form encoding: `+` is a blank, `%` and two hex digits a byte; a stray `%` stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let mut byte = [0];
        match (first, after.split_at_checked(2)) {
            (b'%', Some((digits, beyond))) if hex::decode_to_slice(digits, &mut byte).is_ok() => {
                decoded.extend_from_slice(&byte);
                rest = beyond;
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(*other),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_comes_back_as_it_was_meant() {
        check("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=w%26rd", "1158201444");
        check("hub.verify_token=w%26rd&hub.challenge=007&hub.mode=subscribe", "007");
        check("hub%2Emode=subscribe&hub.challenge=a%20b+c%2B&hub.verify_token=w%26rd", "a b c+");
        check("hub.mode=subscribe&hub.challenge=&hub.verify_token=w%26rd", "");
        check("hub.mode=subscribe&hub.challenge=100%&hub.verify_token=w%26rd", "100%");
        check("hub.mode=subscribe&hub.challenge=%zz%C3%A4&hub.verify_token=w%26rd", "%zzä");
        check("x&hub.mode=subscribe&hub.challenge=1&hub.challenge=2&hub.verify_token=w%26rd", "1");

        #[track_caller]
        fn check(query: &str, challenge: &str) {
            let expected = Answer::Challenge(challenge.as_bytes().to_vec());
            assert_eq!(answer(query, &token()), expected, "{query}");
        }
    }

    #[test]
    fn another_token_or_mode_is_refused_and_a_missing_parameter_is_named_so() {
        check("hub.mode=subscribe&hub.challenge=1&hub.verify_token=w%26r", &Answer::Refused);
        check("hub.mode=subscribe&hub.challenge=1&hub.verify_token=W%26rd", &Answer::Refused);
        check("hub.mode=subscribe&hub.challenge=1&hub.verify_token=w&rd", &Answer::Refused);
        check("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", &Answer::Refused);
        check("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=w%26rd", &Answer::Refused);
        check("hub.challenge=1&hub.verify_token=w%26rd", &Answer::Incomplete);
        check("hub.mode=subscribe&hub.verify_token=w%26rd", &Answer::Incomplete);
        check("hub.mode=subscribe&hub.challenge=1", &Answer::Incomplete);
        check("", &Answer::Incomplete);

        #[track_caller]
        fn check(query: &str, expected: &Answer) {
            assert_eq!(answer(query, &token()), *expected, "{query}");
        }
    }

    fn token() -> VerifyToken {
        VerifyToken::new("w&rd").unwrap()
    }
}
