//! What a message is: its kind, its story, and the attachments that are really there. Pure.
//!
//! | seen                                             | kind            |
//! |--------------------------------------------------|-----------------|
//! | `is_unsupported`, or an attachment that says so  | `unsupported`   |
//! | a story mention among the attachments            | `story_mention` |
//! | a reply to a story                               | `story_reply`   |
//! | else the first attachment of a known type        | that one's      |
//! | else text                                        | `text`          |
//! | else attachments, all of unknown type            | `unknown`       |
//! | else nothing                                     | `empty`         |
//!
//! Text and attachments are kept whatever the kind is. Source: platform notes, section 3.4.

use crate::domain::event::{Attachment, Content, ContentKind, MessageBody, Story};
use crate::normalize::wire::Message;

/// Our words for a message; `standby` and `to_self` come from around it.
pub(super) fn message_body(message: Message<'_>, standby: bool, to_self: bool) -> MessageBody {
    let kind = kind(&message);
    let is_mention = kind == ContentKind::StoryMention;
    let story = if is_mention { mentioned_story(&message.attachments) } else { None };
    MessageBody {
        content: Content { kind, text: message.text.map(str::to_owned) },
        attachments: without_legacy_twins(message.attachments),
        reply_to_mid: message.reply_to_mid,
        story: story.or(message.reply_to_story),
        quick_reply: message.quick_reply,
        referral: message.referral,
        standby,
        to_self: to_self || message.is_self,
        folder: message.folder,
        app_id: message.app_id,
    }
}

fn kind(message: &Message<'_>) -> ContentKind {
    let mut kinds = message.attachments.iter().filter_map(|attachment| known(&attachment.kind));
    let has = |kind| message.attachments.iter().any(|one| known(&one.kind) == Some(kind));
    if message.is_unsupported || has(ContentKind::Unsupported) {
        ContentKind::Unsupported
    } else if has(ContentKind::StoryMention) {
        ContentKind::StoryMention
    } else if message.reply_to_story.is_some() {
        ContentKind::StoryReply
    } else if let Some(kind) = kinds.next() {
        kind
    } else if message.text.is_some() {
        ContentKind::Text
    } else if message.attachments.is_empty() {
        ContentKind::Empty
    } else {
        ContentKind::Unknown
    }
}

/// What a message with such an attachment is; `None` for types we do not know.
fn known(attachment_type: &str) -> Option<ContentKind> {
    match attachment_type {
        "image" | "video" | "audio" | "file" | "media" | "gif" | "animated_image" | "sticker"
        | "ephemeral" => Some(ContentKind::Media),
        SHARE | IG_POST | "ig_reel" | "reel" | "post" | "media_share" | "MEDIA_SHARE"
        | "fallback" => Some(ContentKind::Share),
        "story" | "ig_story" | "story_share" => Some(ContentKind::StoryShare),
        STORY_MENTION => Some(ContentKind::StoryMention),
        "like_heart" => Some(ContentKind::Like),
        "template" => Some(ContentKind::Template),
        "unsupported_type" | "unsupported" => Some(ContentKind::Unsupported),
        _ => None,
    }
}

const STORY_MENTION: &str = "story_mention";
const SHARE: &str = "share";
const IG_POST: &str = "ig_post";

fn mentioned_story(attachments: &[Attachment]) -> Option<Story> {
    let mention = attachments.iter().find(|attachment| attachment.kind == STORY_MENTION)?;
    Some(Story { id: mention.media_id.clone(), url: mention.url.clone() })
}

/// Drops a `share` that says again what an `ig_post` says, and a post said twice.
///
/// Source: platform notes, section 3.4: for months both came in one message, with the same media id.
fn without_legacy_twins(attachments: Vec<Attachment>) -> Vec<Attachment> {
    let mut kept: Vec<Attachment> = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        match kept.iter_mut().find(|other| is_twin(other, &attachment)) {
            Some(twin) if twin.kind == SHARE => *twin = attachment,
            Some(_) => (),
            None => kept.push(attachment),
        }
    }
    kept
}

fn is_twin(one: &Attachment, other: &Attachment) -> bool {
    let shared = |attachment: &Attachment| matches!(attachment.kind.as_str(), SHARE | IG_POST);
    let either_is_post = one.kind == IG_POST || other.kind == IG_POST;
    let same_id = one.media_id.is_some() && one.media_id == other.media_id;
    let one_unnamed = one.media_id.is_none() || other.media_id.is_none();
    let same_url = one_unnamed && one.url.is_some() && one.url == other.url;
    shared(one) && shared(other) && either_is_post && (same_id || same_url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::{json, wire};

    fn body(message: &str) -> MessageBody {
        let node = json::parse(message).unwrap();
        message_body(wire::message(&node).unwrap(), false, false)
    }

    #[test]
    fn a_message_is_what_it_carries() {
        use ContentKind::{
            Empty, Like, Media, Share, StoryMention, StoryReply, StoryShare, Template, Text,
            Unknown, Unsupported,
        };
        check(r#"{"text":"hi"}"#, Text);
        check(r#"{"text":""}"#, Empty);
        check(r#"{}"#, Empty);
        check(r#"{"attachments":[]}"#, Empty);
        check(r#"{"is_unsupported":true}"#, Unsupported);
        check(r#"{"is_unsupported":"true","text":"x"}"#, Unsupported);
        check(r#"{"attachments":[{"type":"unsupported_type"}]}"#, Unsupported);
        check(r#"{"text":"nice","reply_to":{"story":{"id":"1"}}}"#, StoryReply);
        check(r#"{"text":"this","reply_to":{"mid":"m1"}}"#, Text);
        for kind in ["image", "video", "audio", "file", "sticker", "ephemeral"] {
            check(&format!(r#"{{"attachments":[{{"type":"{kind}"}}]}}"#), Media);
        }
        for kind in ["share", "ig_post", "ig_reel", "reel", "fallback"] {
            check(&format!(r#"{{"attachments":[{{"type":"{kind}"}}]}}"#), Share);
        }
        for kind in ["story", "ig_story"] {
            check(&format!(r#"{{"attachments":[{{"type":"{kind}"}}]}}"#), StoryShare);
        }
        check(r#"{"attachments":[{"type":"story_mention"}]}"#, StoryMention);
        check(r#"{"attachments":[{"type":"like_heart"}]}"#, Like);
        check(r#"{"attachments":[{"type":"template"}]}"#, Template);
        check(r#"{"attachments":[{"type":"hologram"}]}"#, Unknown);
        check(r#"{"text":"hi","attachments":[{"type":"hologram"}]}"#, Text);
        check(r#"{"text":"hi","attachments":[{"type":"image"}]}"#, Media);
        check(r#"{"attachments":[{"type":"hologram"},{"type":"video"}]}"#, Media);

        #[track_caller]
        fn check(message: &str, expected: ContentKind) {
            assert_eq!(body(message).content.kind, expected);
        }
    }

    #[test]
    fn attachments_come_as_list_or_alone_under_either_name_and_none_is_lost() {
        check(r#"{"attachments":[{"type":"image"},{"type":"video"}]}"#, &["image", "video"], 0);
        check(r#"{"attachments":{"type":"image"}}"#, &["image"], 0);
        check(r#"{"attachment":{"type":"image"}}"#, &["image"], 0);
        check(r#"{"attachment":[{"type":"image"}]}"#, &["image"], 0);
        check(r#"{"attachments":[null,{"type":"image"},7,"x",{}]}"#, &["image"], 3);
        check(r#"{"attachments":"later"}"#, &[], 1);
        check(r#"{"attachments":[{"type":"ein Satz, kein Wort"}]}"#, &[], 1);

        #[track_caller]
        fn check(message: &str, expected: &[&str], unknown: usize) {
            let attachments = body(message).attachments;
            let kinds: Vec<&str> = attachments.iter().map(|one| one.kind.as_str()).collect();
            let all = [expected, &vec!["unknown"; unknown]].concat();
            assert_eq!(kinds, all);
        }
    }

    #[test]
    fn a_post_that_comes_under_its_old_name_too_is_one_post() {
        let post = r#"{"type":"ig_post","payload":{"ig_post_media_id":"181","url":"https://a/1"}}"#;
        let share = r#"{"type":"share","payload":{"ig_post_media_id":"181","url":"https://a/2"}}"#;
        let same_url = r#"{"type":"share","payload":{"url":"https://a/1"}}"#;
        let other = r#"{"type":"share","payload":{"ig_post_media_id":"182"}}"#;
        let image = r#"{"type":"image","payload":{"url":"https://a/1"}}"#;
        check(&[share, post], &["ig_post"]);
        check(&[post, share], &["ig_post"]);
        check(&[post, post], &["ig_post"]);
        check(&[post, same_url], &["ig_post"]);
        check(&[post, other], &["ig_post", "share"]);
        check(&[post, image], &["ig_post", "image"]);
        check(&[share, share], &["share", "share"]);
        check(&[image, image], &["image", "image"]);

        #[track_caller]
        fn check(attachments: &[&str], expected: &[&str]) {
            let message = format!(r#"{{"attachments":[{}]}}"#, attachments.join(","));
            let attachments = body(&message).attachments;
            let kinds: Vec<&str> = attachments.iter().map(|one| one.kind.as_str()).collect();
            assert_eq!(kinds, expected);
        }
    }

    #[test]
    fn a_mention_names_its_story_by_its_url() {
        let mention =
            r#"{"attachments":[{"type":"story_mention","payload":{"url":"https://cdn/s"}}]}"#;
        let story = body(mention).story.unwrap();
        assert_eq!(story.url.as_deref(), Some("https://cdn/s"));
    }
}
