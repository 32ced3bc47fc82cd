//! What happens on the simulated Instagram, in its own words. Pure.
//!
//! Not here: how Meta writes it down (`webhook.rs`), what makes it happen (`world.rs`).

use crate::domain::id::MessageId;
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;

/// One thing that happened in one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Between whom.
    pub thread: Thread,
    /// When, by the platform's clock.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody wrote.
    Message {
        /// The message's id.
        mid: MessageId,
        /// Who.
        by: Author,
        /// What it holds.
        body: Body,
    },
    /// The author took a message back.
    Unsent {
        /// Which.
        mid: MessageId,
        /// Who had written it.
        by: Author,
    },
    /// The person changed a message.
    Edited {
        /// Which.
        mid: MessageId,
        /// The new text.
        text: String,
        /// Counts the edits of this message from one.
        num_edit: u32,
    },
    /// The person saw a message of the business.
    Read {
        /// Which.
        mid: MessageId,
    },
    /// The person put a reaction on a message.
    Reacted {
        /// On which.
        mid: MessageId,
        /// The platform's word.
        reaction: String,
        /// What they picked.
        emoji: String,
    },
    /// The person took their reaction off.
    Unreacted {
        /// Off which.
        mid: MessageId,
    },
    /// The person tapped a button.
    Postback {
        /// The tap's id.
        mid: MessageId,
        /// What the button says.
        title: String,
        /// What the business attached to it.
        payload: String,
    },
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// The person.
    Person,
    /// Somebody of the business, in the Instagram app.
    NativeApp,
    /// The business, through the Graph API.
    Api,
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// Words.
    pub text: Option<String>,
    /// What hangs on it.
    pub media: Vec<Media>,
    /// The message it quotes.
    pub reply_to: Option<MessageId>,
    /// The story it answers.
    pub story: Option<StoryRef>,
}

impl Body {
    /// A message of words alone.
    #[must_use]
    pub fn text(words: &str) -> Self {
        Self { text: Some(words.to_owned()), ..Self::default() }
    }
}

/// Something hanging on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The platform's type word: `image`, `video`, `story_mention`, …
    pub kind: String,
    /// Where it is; hearts have none.
    pub url: Option<String>,
}

/// A story of the business that a person answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryRef {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub url: String,
}

/// The kinds of occurrences that the books count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A person's message, image, story reply or mention.
    Message,
    /// A tapped button.
    Postback,
    /// The echo of a message written in the app.
    NativeEcho,
    /// The echo of a message the API took.
    OwnEcho,
    /// A message taken back.
    Unsent,
    /// A message changed.
    Edited,
    /// A message seen.
    Read,
    /// A reaction put on or taken off.
    Reaction,
}

impl Kind {
    /// Every kind, in the order the summary shows them.
    pub const ALL: [Self; 8] = [
        Self::Message,
        Self::Postback,
        Self::NativeEcho,
        Self::OwnEcho,
        Self::Unsent,
        Self::Edited,
        Self::Read,
        Self::Reaction,
    ];

    /// The kind in words, plural.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Postback => "button taps",
            Self::NativeEcho => "echoes of the app",
            Self::OwnEcho => "echoes of our sends",
            Self::Unsent => "unsends",
            Self::Edited => "edits",
            Self::Read => "reads",
            Self::Reaction => "reactions",
        }
    }
}

impl Occurrence {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.what {
            What::Message { by: Author::Person, .. } => Kind::Message,
            What::Message { by: Author::NativeApp, .. } => Kind::NativeEcho,
            What::Message { by: Author::Api, .. } => Kind::OwnEcho,
            What::Unsent { .. } => Kind::Unsent,
            What::Edited { .. } => Kind::Edited,
            What::Read { .. } => Kind::Read,
            What::Reacted { .. } | What::Unreacted { .. } => Kind::Reaction,
            What::Postback { .. } => Kind::Postback,
        }
    }

    /// The message it is, or is about.
    #[must_use]
    pub const fn mid(&self) -> &MessageId {
        match &self.what {
            What::Message { mid, .. }
            | What::Unsent { mid, .. }
            | What::Edited { mid, .. }
            | What::Read { mid }
            | What::Reacted { mid, .. }
            | What::Unreacted { mid }
            | What::Postback { mid, .. } => mid,
        }
    }
}
