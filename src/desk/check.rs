//! What can be refused at the door, before anything is recorded, with the codes the rules name. Pure.
//!
//! Not here: what depends on the conversation (`conversation` decides that), what an image contains (`send`).

use crate::domain::command::Refusal;

/// Characters a message may have, as Unicode code points.
pub(super) const TEXT_CHARS_MAX: usize = 640;
/// Bytes Meta takes.
const TEXT_BYTES_MAX: usize = 1_000;
/// Images of one reply.
const IMAGES_MAX: usize = 10;
/// Bytes of an image's address.
const URL_BYTES_MAX: usize = 2_048;

/// Bytes of a reply's images together.
const ATTACHMENT_BYTES_MAX: u64 = 5 * 1024 * 1024;

/// Why a reply can never be sent; `None` where nothing speaks against it yet.
pub(super) fn reply(text: &str, image_urls: &[String], declared_bytes: u64) -> Option<Refusal> {
    if text.trim().is_empty() && image_urls.is_empty() {
        Some(Refusal::EmptyMessage)
    } else if text.chars().count() > TEXT_CHARS_MAX {
        Some(Refusal::TextTooLong)
    } else if text.len() > TEXT_BYTES_MAX {
        Some(Refusal::TextTooManyBytes)
    } else if image_urls.len() > IMAGES_MAX {
        Some(Refusal::TooManyAttachments)
    } else if !image_urls.iter().all(|url| is_https(url)) {
        Some(Refusal::AttachmentTypeNotSupported)
    } else if declared_bytes > ATTACHMENT_BYTES_MAX {
        Some(Refusal::AttachmentsTooLarge)
    } else {
        None
    }
}

/// Whether Meta could fetch it: an https address with a host.
fn is_https(url: &str) -> bool {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && url.len() <= URL_BYTES_MAX && host.is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "https://cdn.example/1.png";

    #[test]
    fn text_has_640_characters_and_1000_bytes_at_most() {
        check("a", None);
        check(&"a".repeat(640), None);
        check(&"a".repeat(641), Some(Refusal::TextTooLong));
        check(&"ä".repeat(500), None);
        check(&"ä".repeat(501), Some(Refusal::TextTooManyBytes));
        check(&"😂".repeat(250), None);
        check(&"😂".repeat(251), Some(Refusal::TextTooManyBytes));
        check(&"😂".repeat(641), Some(Refusal::TextTooLong));
        check("", Some(Refusal::EmptyMessage));
        check(" \n\t", Some(Refusal::EmptyMessage));

        #[track_caller]
        fn check(text: &str, expected: Option<Refusal>) {
            assert_eq!(reply(text, &[], 0), expected, "R-133, R-135");
        }
    }

    #[test]
    fn images_are_ten_https_addresses_at_most() {
        check(&[IMAGE], None);
        check(&[IMAGE; 10], None);
        check(&[IMAGE; 11], Some(Refusal::TooManyAttachments));
        let odd_urls = ["http://cdn.example/1.png", "https://", "https:///1.png", "cdn", "data:x"];
        for odd in odd_urls {
            check(&[IMAGE, odd], Some(Refusal::AttachmentTypeNotSupported));
        }

        let one = [IMAGE.to_owned()];
        assert_eq!(reply("", &one, 5_242_880), None, "R-138");
        assert_eq!(reply("", &one, 5_242_881), Some(Refusal::AttachmentsTooLarge));

        #[track_caller]
        fn check(urls: &[&str], expected: Option<Refusal>) {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            assert_eq!(reply("", &urls, 0), expected, "R-136, R-138");
        }
    }
}
