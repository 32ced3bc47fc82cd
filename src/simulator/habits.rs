//! What kind of world is simulated: who, how busy, and what people do how often. Pure.

use crate::domain::id::AccountId;

/// What kind of world.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// The business accounts people write to.
    pub accounts: Vec<AccountId>,
    /// How many people; one in eight writes to a second account too.
    pub people: usize,
    /// How often somebody starts something, in all, per second; answers come on top.
    pub rate_per_s: f64,
    /// What they do how often.
    pub habits: Habits,
    /// Graph calls an account may make in one second. Source: `RATE`, 100 for texts.
    pub calls_per_s: usize,
}

/// Probabilities of what people do, each 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// A start is a mention in a story.
    pub mention: f64,
    /// A start is an answer to a story.
    pub story_reply: f64,
    /// A start is an image.
    pub image: f64,
    /// A start is a tap on a button.
    pub postback: f64,
    /// A start is followed by a second message at once.
    pub burst: f64,
    /// A text is edited.
    pub edit: f64,
    /// A message is unsent.
    pub unsend: f64,
    /// A message of the business is read.
    pub read: f64,
    /// A message of the business gets a reaction.
    pub react: f64,
    /// A message of the business is answered.
    pub answer: f64,
    /// Somebody of the business answers in the Instagram app.
    pub native: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            mention: 0.06,
            story_reply: 0.06,
            image: 0.08,
            postback: 0.04,
            burst: 0.15,
            edit: 0.04,
            unsend: 0.03,
            read: 0.7,
            react: 0.12,
            answer: 0.35,
            native: 0.04,
        }
    }
}
