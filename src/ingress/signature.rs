//! Whether a body comes from Meta. Pure.
//!
//! `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 over the bytes as received, before any parsing. Compared in constant
//! time, with every secret each time, so that the answer's delay tells neither the signature nor which secret is in use.
//!
//! Source: Meta, Webhooks, "Validate Payloads".

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ingress::secrets::Secrets;

/// The header that carries the signature.
pub(super) const HEADER: &str = "x-hub-signature-256";

const PREFIX: &str = "sha256=";
const DIGEST_BYTES: usize = 32;

/// Whether `header` is a signature of `body` under one of `secrets`.
///
/// Hex digits may be upper-case: Meta's are lower-case, and a proxy in between loses nothing by it.
pub(super) fn is_signed(secrets: &Secrets, header: Option<&str>, body: &[u8]) -> bool {
    let Some(claimed) = header.and_then(parse) else { return false };
    secrets.iter().fold(false, |signed, secret| signed | is_mac(secret, body, &claimed))
}

fn parse(header: &str) -> Option<[u8; DIGEST_BYTES]> {
    let digits = header.strip_prefix(PREFIX)?;
    let mut digest = [0; DIGEST_BYTES];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

fn is_mac(secret: &[u8], body: &[u8], claimed: &[u8]) -> bool {
    // HMAC takes keys of every length, so this never says no.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.chain_update(body).verify_slice(claimed).is_ok()
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
pub(super) fn is_equal(expected: &[u8], given: &[u8]) -> bool {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(expected) else { return false };
    let digest = mac.clone().chain_update(given).finalize().into_bytes();
    mac.chain_update(expected).verify_slice(&digest).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible with `openssl dgst -sha256 -hmac test-app-secret`.
    const ESCAPED: &str = r#"{"object":"instagram","entry":[{"id":"17841400000000001","time":1700000000123,"messaging":[{"sender":{"id":"9000000000000001"},"recipient":{"id":"17841400000000001"},"timestamp":1700000000001,"message":{"mid":"m_1","text":"\u00e4\u00f6\u00e5 \ud83d\ude00"}}]}]}"#;
    const OF_ESCAPED: &str = "49c41922fa23d7b599e7a91bcdd47f58eafe55785fc16898a4ee50544d49f25b";
    const OF_DECODED: &str = "56e2d4c1a772662079bcf3a6eabef286432c4169fd603042dd993a53d7ca15a5";
    const SECRET: &str = "test-app-secret";

    #[test]
    fn the_signature_covers_the_bytes_on_the_wire_not_what_they_mean() {
        let decoded = ESCAPED.replace(r"\u00e4\u00f6\u00e5 \ud83d\ude00", "äöå 😀");
        assert_eq!((ESCAPED.len(), decoded.len()), (261, 241));
        check(&[SECRET], &format!("sha256={OF_ESCAPED}"), ESCAPED, true);
        check(&[SECRET], &format!("sha256={OF_ESCAPED}"), &decoded, false);
        check(&[SECRET], &format!("sha256={OF_DECODED}"), &decoded, true);
    }

    #[test]
    fn any_of_the_secrets_will_do_and_no_other() {
        let header = format!("sha256={OF_ESCAPED}");
        check(&[SECRET, "new"], &header, ESCAPED, true);
        check(&["old", "new", SECRET], &header, ESCAPED, true);
        check(&["old", "new"], &header, ESCAPED, false);
    }

    #[test]
    fn a_header_of_another_shape_is_no_signature() {
        check(&[SECRET], &format!("sha256={}", OF_ESCAPED.to_uppercase()), ESCAPED, true);
        for header in [
            "",
            "sha256=",
            OF_ESCAPED,
            &format!("SHA256={OF_ESCAPED}"),
            &format!("sha1={OF_ESCAPED}"),
            &format!("sha256= {OF_ESCAPED}"),
            &format!("sha256={OF_ESCAPED} "),
            &format!("sha256={OF_ESCAPED}00"),
            &format!("sha256={}", &OF_ESCAPED[..63]),
            &format!("sha256={}", &OF_ESCAPED[..62]),
            &format!("sha256={}", &OF_ESCAPED[2..]),
            &format!("sha256={}zz", &OF_ESCAPED[..62]),
            &format!("sha256={}5c", &OF_ESCAPED[..62]),
        ] {
            check(&[SECRET], header, ESCAPED, false);
        }
        let secrets = Secrets::new([SECRET]).unwrap();
        assert!(!is_signed(&secrets, None, ESCAPED.as_bytes()), "no header at all");
    }

    #[test]
    fn equal_texts_are_equal_and_others_are_not() {
        for (expected, given, equal) in
            [("a", "a", true), ("a", "b", false), ("a", "", false), ("a", "aa", false)]
        {
            assert_eq!(
                is_equal(expected.as_bytes(), given.as_bytes()),
                equal,
                "{expected} {given}"
            );
        }
    }

    #[track_caller]
    fn check(secrets: &[&str], header: &str, body: &str, signed: bool) {
        let secrets = Secrets::new(secrets.iter().copied()).unwrap();
        assert_eq!(is_signed(&secrets, Some(header), body.as_bytes()), signed, "{header}");
    }
}
