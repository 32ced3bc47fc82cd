//! What a reply says and whether it may be said: links, lengths, images. Pure.

use crate::domain::command::Refusal;
use crate::domain::derive::digest;
use crate::domain::event::MessageBody;
use crate::domain::outbound::SendPart;

/// Most code points of a text.
const MAX_CHARS: usize = 640;
/// Most bytes of a text.
const MAX_BYTES: usize = 1000;
/// Most images of a reply.
const MAX_IMAGES: usize = 10;
/// Most bytes of a reply's images together: 5 MB.
const MAX_ATTACHMENT_BYTES: u64 = 5 * 1024 * 1024;
/// Longest address of an image, in bytes: what browsers and caches take.
const MAX_URL_BYTES: usize = 2048;

/// The parts of a reply: text first, then images.
///
/// # Errors
///
/// The refusal of the rule it breaks.
pub(super) fn parts(
    text: &str,
    image_urls: &[String],
    link_format: bool,
) -> Result<Vec<SendPart>, Refusal> {
    if text.trim().is_empty() && image_urls.is_empty() {
        return Err(Refusal::EmptyMessage);
    }
    let text = if link_format { with_links(text) } else { text.to_owned() };
    if text.chars().count() > MAX_CHARS {
        return Err(Refusal::TextTooLong);
    }
    if text.len() > MAX_BYTES {
        return Err(Refusal::TextTooManyBytes);
    }
    if image_urls.len() > MAX_IMAGES {
        return Err(Refusal::TooManyAttachments);
    }
    if image_urls.iter().any(|url| is_video(url)) {
        return Err(Refusal::VideoNotSupported);
    }
    if !image_urls.iter().all(|url| may_be_image(url)) {
        return Err(Refusal::AttachmentTypeNotSupported);
    }
    let mut parts = Vec::with_capacity(2);
    if !text.trim().is_empty() {
        parts.push(SendPart::Text { text });
    }
    if !image_urls.is_empty() {
        parts.push(SendPart::Images { urls: image_urls.to_vec() });
    }
    Ok(parts)
}

/// What the sender said of the images' sizes; what they really weigh, only who fetches them knows.
pub(super) const fn declared(bytes: u64) -> Result<(), Refusal> {
    if bytes > MAX_ATTACHMENT_BYTES { Err(Refusal::AttachmentsTooLarge) } else { Ok(()) }
}

/// An address over https whose name, if it has an ending, has that of a JPEG, PNG or GIF.
///
/// What really stands there, the sender and Instagram judge.
fn may_be_image(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    if url.len() > MAX_URL_BYTES || rest.contains(char::is_whitespace) {
        return false;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let Some((host, name)) = path.split_once('/') else { return !rest.is_empty() };
    let name = name.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !host.is_empty() && ending.is_none_or(|e| ["jpg", "jpeg", "png", "gif"].contains(&e.as_str()))
}

/// An address whose name ends as videos do.
fn is_video(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|e| ["mp4", "mov", "webm", "avi", "mkv", "m4v"].contains(&e.as_str()))
}

/// Links as customers see them: `URL [URL]`, and `label [URL]` where the agent gave a label as `[label](URL)`.
fn with_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((label, url, after)) = labelled(rest) {
            out.push_str(&format!("{label} [{url}]"));
            rest = after;
        } else if let Some((url, after)) = bare(rest) {
            let written = format!(" [{url}]");
            out.push_str(url);
            out.push_str(&written);
            // What is written so already stays so.
            rest = after.strip_prefix(&written).unwrap_or(after);
        } else {
            out.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// `[label](URL)` at the start: label, URL, what follows.
fn labelled(text: &str) -> Option<(&str, &str, &str)> {
    let (label, after) = text.strip_prefix('[')?.split_once("](")?;
    let (url, after) = after.split_once(')')?;
    let plain = !label.is_empty() && !label.contains(['[', ']', '\n']);
    (plain && starts_link(url) && !url.contains(char::is_whitespace)).then_some((label, url, after))
}

/// A URL at the start, without the punctuation that ends a sentence, and what follows.
fn bare(text: &str) -> Option<(&str, &str)> {
    if !starts_link(text) {
        return None;
    }
    let word = text.split(|c: char| c.is_whitespace() || c == ']' || c == '<').next()?;
    let url = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '\'']);
    let (scheme, name) = url.split_once("://")?;
    (!scheme.is_empty() && !name.is_empty()).then(|| (url, text.get(url.len()..).unwrap_or("")))
}

fn starts_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// What an echo of this part looks like; white space at the ends and runs of it do not count.
pub(super) fn words_digest(part: &SendPart) -> Option<u128> {
    match part {
        SendPart::Text { text } => Some(text_digest(text)),
        SendPart::Images { urls } => Some(images_digest(urls.len())),
        SendPart::React { .. } | SendPart::Unreact { .. } => None,
    }
}

/// The same of an echo; the platform gives images addresses of its own, so that only their number tells.
pub(super) fn echo_digest(body: &MessageBody) -> u128 {
    match &body.content.text {
        Some(text) if !text.trim().is_empty() => text_digest(text),
        Some(_) | None => images_digest(body.attachments.len()),
    }
}

fn text_digest(text: &str) -> u128 {
    let words: Vec<&str> = text.split_whitespace().collect();
    digest(&["text", &words.join(" ")])
}

fn images_digest(count: usize) -> u128 {
    digest(&["images", &count.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    // Holds: R-139
    #[test]
    fn links_are_written_as_url_in_brackets_after_label_or_url() {
        check(
            "see https://a.example/x?y=1.",
            "see https://a.example/x?y=1 [https://a.example/x?y=1].",
        );
        check("[Shop](https://a.example) now", "Shop [https://a.example] now");
        check("https://a.example [https://a.example]", "https://a.example [https://a.example]");
        check("(http://b.example)", "(http://b.example [http://b.example])");
        check("no link: https:// [x](y)", "no link: https:// [x](y)");

        #[track_caller]
        fn check(written: &str, sent: &str) {
            assert_eq!(with_links(written), sent);
        }
    }

    // Holds
    #[test]
    fn a_reply_keeps_its_bounds() {
        check(&"a".repeat(640), 0, None);
        check(&"a".repeat(641), 0, Some(Refusal::TextTooLong));
        check(&"é".repeat(500), 0, None);
        check(&"é".repeat(501), 0, Some(Refusal::TextTooManyBytes));
        check(" \n", 0, Some(Refusal::EmptyMessage));
        check("", 1, None);
        check("", 10, None);
        check("", 11, Some(Refusal::TooManyAttachments));
        // 308 code points as written, 641 as sent.
        let link = format!("https://a.example/{}", "x".repeat(301));
        check(&format!("{link} "), 0, Some(Refusal::TextTooLong));

        #[track_caller]
        fn check(text: &str, images: usize, expected: Option<Refusal>) {
            let urls = vec!["https://cdn.example/a.png".to_owned(); images];
            assert_eq!(parts(text, &urls, true).err(), expected);
        }
    }

    // Holds: R-138
    #[test]
    fn images_declared_to_weigh_more_than_five_megabytes_are_refused() {
        for (bytes, expected) in [
            (0, Ok(())),
            (5_242_880, Ok(())),
            (5_242_881, Err(Refusal::AttachmentsTooLarge)),
            (u64::MAX, Err(Refusal::AttachmentsTooLarge)),
        ] {
            assert_eq!(declared(bytes), expected, "{bytes}");
        }
    }

    // Holds: R-137
    #[test]
    fn a_video_is_refused_as_one() {
        for url in ["https://cdn.example/a.mp4", "https://cdn.example/a.MOV?x=1"] {
            let refused = parts("look", &[url.to_owned()], true).err();
            assert_eq!(refused, Some(Refusal::VideoNotSupported), "{url}");
        }
    }

    // Holds: R-136
    #[test]
    fn only_addresses_of_images_over_https_are_taken() {
        check("https://cdn.example/a.JPG?x=1", true);
        check("https://cdn.example/a.gif", true);
        check("https://cdn.example/blob/17", true);
        check("https://cdn.example/a.mp4", false);
        check("http://cdn.example/a.png", false);
        check("https://", false);
        check("file:///a.png", false);

        #[track_caller]
        fn check(url: &str, taken: bool) {
            assert_eq!(parts("", &[url.to_owned()], true).is_ok(), taken, "{url}");
        }
    }
}
