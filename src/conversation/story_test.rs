//! Stories mentioned and answered, and what hangs on messages: each test names its rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one of many")]

use crate::conversation::rehearsed::{Step, Story, agent, at, body, event, held, mention, mid};
use crate::domain::command::{DeskWish, Refusal};
use crate::domain::event::{Attachment, ContentKind, EventKind, MessageBody, Story as Shown};
use crate::domain::fact::{FactBody, Item, Status};
use crate::domain::id::ClientMessageId;

const DAY: u64 = 24 * 60;

fn received(step: &Step) -> Item {
    let item = step.bodies().into_iter().find_map(|body| match body {
        FactBody::MessageReceived(item) => Some(item),
        _ => None,
    });
    item.expect("an item")
}

fn reply_to_story(url: Option<&str>) -> EventKind {
    let shown = Shown { id: Some("s1".to_owned()), url: url.map(str::to_owned) };
    let said = body(ContentKind::StoryReply, Some("so nice"));
    EventKind::MessageReceived(MessageBody { story: Some(shown), ..said })
}

// Holds
#[test]
fn of_a_mention_the_link_the_id_and_its_day_are_kept_and_nothing_else() {
    let mut story = Story::new();
    let item = received(&story.hear(&mention("s1", at(0))));
    let shown = item.story.unwrap();
    assert_eq!(shown.url.as_deref(), Some("https://cdn.example/s"));
    assert_eq!(shown.id.as_deref(), Some("s1"));
    assert_eq!(item.story_expires_at, Some(at(DAY)));
    let state = format!("{:?}", story.state);
    assert!(!state.contains("cdn.example"), "the state keeps no link");
}

// Holds: R-48
#[test]
fn a_story_is_gone_from_the_very_instant_and_liked_until_the_last_one() {
    check(0, Some(Refusal::TargetUnavailable));
    check(1, None);

    #[track_caller]
    fn check(before_ms: u64, refusal: Option<Refusal>) {
        let mut story = Story::new();
        story.hear(&mention("s1", at(0)));
        let when = at(DAY).minus_ms(before_ms);
        let like = DeskWish::Like { mid: mid("s1") };
        assert_eq!(story.wish("ana", like, when).refusal(), refusal);
    }
}

// Holds
#[test]
fn a_story_that_is_gone_when_it_comes_still_routes_and_nothing_closes_by_itself() {
    let mut story = Story::new();
    let gone =
        event(EventKind::MessageReceived(body(ContentKind::StoryMention, None)), "s1", at(0));
    let step = story.hear(&gone);
    let unavailable = FactBody::StoryUnavailable { mid: mid("s1") };
    assert!(step.bodies().contains(&unavailable), "{:?}", step.facts());
    assert_eq!((step.asks(), story.due_at()), (vec!["enqueue"], Some(at(60))));
    story.timers(at(DAY + 1));
    assert_eq!(story.status(), Some(Status::New), "the team decides");
    let like = DeskWish::Like { mid: mid("s1") };
    assert_eq!(story.wish("ana", like, at(1)).refusal(), Some(Refusal::TargetUnavailable), "R-69");
}

// Holds
#[test]
fn a_story_that_is_gone_at_a_look_is_told_once() {
    let mut story = Story::new();
    story.hear(&mention("s1", at(0)));
    let look = || DeskWish::StoryGone { mid: mid("s1") };
    assert_eq!(story.wish("ana", look(), at(5)).facts(), ["story.unavailable"]);
    assert_eq!(story.wish("ana", look(), at(6)).facts(), Vec::<&str>::new());
    assert_eq!(story.state.stories, vec![], "and does not expire later");
    let like = DeskWish::Like { mid: mid("s1") };
    assert_eq!(story.wish("ana", like, at(7)).refusal(), Some(Refusal::TargetUnavailable));
    let unknown = DeskWish::StoryGone { mid: mid("s9") };
    assert_eq!(story.wish("ana", unknown, at(8)).refusal(), Some(Refusal::TargetUnavailable));
}

// Holds: R-52
#[test]
fn a_story_reply_shows_its_story_for_a_day_and_its_own_text_for_good() {
    let mut story = Story::new();
    let step = story.hear(&event(reply_to_story(Some("https://cdn.example/s")), "m1", at(0)));
    let item = received(&step);
    assert_eq!(item.text.as_deref(), Some("so nice"));
    assert_eq!(item.story.unwrap().url.as_deref(), Some("https://cdn.example/s"));
    assert_eq!(item.story_expires_at, Some(at(DAY)));
    assert!(story.timers(at(DAY)).facts().contains(&"story.expired"));
    let like = DeskWish::Like { mid: mid("m1") };
    assert_eq!(story.wish("ana", like, at(DAY + 1)).refusal(), None, "the reply is there");
}

// Holds: R-54
#[test]
fn a_video_keeps_its_address_and_is_called_a_video_on_the_banner() {
    let mut story = Story::new();
    let video = Attachment {
        kind: "video".to_owned(),
        url: Some("https://cdn.example/v.mp4".to_owned()),
        ..Attachment::default()
    };
    let said = MessageBody { attachments: vec![video.clone()], ..body(ContentKind::Media, None) };
    let step = story.hear(&event(EventKind::MessageReceived(said), "m1", at(0)));
    assert_eq!(received(&step).attachments, [video]);
    assert_eq!(step.snapshot().preview, "Video", "R-111");
}

// Holds: R-55
#[test]
fn a_mention_is_answered_with_words_or_an_image_also_after_its_day_and_not_with_a_video() {
    check("thank you!", None, None);
    check("", Some("https://cdn.example/a.png"), None);
    check("", Some("https://cdn.example/a.mp4"), Some(Refusal::VideoNotSupported));

    #[track_caller]
    fn check(text: &str, image: Option<&str>, refusal: Option<Refusal>) {
        let mut story = Story::new();
        story.hear(&mention("s1", at(0)));
        let wish = DeskWish::Reply {
            client_message_id: ClientMessageId::parse("c1").unwrap(),
            text: text.to_owned(),
            image_urls: image.map(str::to_owned).into_iter().collect(),
            automatic: false,
            declared_bytes: 0,
        };
        let step = story.wish("ana", wish, at(2 * DAY));
        assert_eq!((step.refusal(), step.sends().len()), (refusal, usize::from(refusal.is_none())));
    }
}

// Holds
#[test]
fn shares_and_what_the_platform_does_not_give_us_are_items_like_others() {
    check(ContentKind::Share, "Shared post");
    check(ContentKind::StoryShare, "Shared story");
    check(ContentKind::Unsupported, "Unsupported message");
    check(ContentKind::Unknown, "Unsupported message");
    check(ContentKind::StoryMention, "Story mention");
    check(ContentKind::Like, "❤️");

    #[track_caller]
    fn check(kind: ContentKind, preview: &str) {
        let mut story = held();
        let step = story.hear(&event(EventKind::MessageReceived(body(kind, None)), "x1", at(2)));
        assert_eq!((received(&step).kind, step.snapshot().preview.as_str()), (kind, preview));
        assert_eq!(step.snapshot().agent_id, Some(agent("ana")));
    }
}
