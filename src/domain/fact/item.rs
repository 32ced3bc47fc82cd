//! An item of the timeline: something said. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Attachment, ContentKind, Story};
use crate::domain::id::{ItemId, MessageId, SendId};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// An item of the timeline: something said, by either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The item, the same in every fact about it.
    pub item_id: ItemId,
    /// The platform's id, once it has one; an item of several parts names the part's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<MessageId>,
    /// The part sent, for items of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_id: Option<SendId>,
    /// What it is.
    pub kind: ContentKind,
    /// What it says; gone once deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What hangs on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_mid: Option<MessageId>,
    /// The story it shows or answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
    /// The story is shown until this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story_expires_at: Option<Timestamp>,
    /// It was unsent before it came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Read-only copy: another app owns the thread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The folder of the person's inbox it lies in, as the platform names it; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_folder: Option<String>,
    /// The thread it came on or goes to, where that one is merged into the fact's; it returns there by an unmerge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Thread>,
}
