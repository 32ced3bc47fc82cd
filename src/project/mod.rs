//! The views the desk shows, folded from public topics; rebuilt from the log, nothing else writes them.
//!
//! Promise: reading a record twice changes nothing; what a view shows was committed; every view is bounded.
//! Not here: the loop that reads the log (`app`), HTTP (`desk`).
//!
//! | topic             | becomes                                                        |
//! |-------------------|----------------------------------------------------------------|
//! | `timeline`        | the entries of a conversation, by the thread's fact numbers     |
//! | `conversations`   | its snapshot; a tombstone forgets the thread                    |
//! | `customers`       | the names and profiles shown; a tombstone forgets one           |
//! | `agents`          | agents and the offers on their banners                          |
//! | `command.results` | what became of a command, and whoever waits for it is told      |
//!
//! Settings are folded beside the views, for every stage: [`Follower`].
//! Routing's decisions come back as `contact.*` facts, so they need no reading of their own.

mod view;
mod row;
mod said;
mod fold;
mod shown;
mod shelf;
mod people;
mod kin;
mod noted;
mod strays;
mod outward;
mod outward_fact;
mod board;
mod unseen;
mod views;
mod settings;

#[cfg(test)]
mod fixture_test;
#[cfg(test)]
mod fold_test;
#[cfg(test)]
mod board_test;
#[cfg(test)]
mod strays_test;
#[cfg(test)]
mod outward_fact_test;

pub use board::{Bounds, TOPICS};
pub use noted::Handle;
pub use outward::{OutwardItem, OutwardItems, outward_items};
pub use outward_fact::{OutwardEvent, outward_events};
pub use settings::Follower;
pub use shelf::{Cursor, Filter, Page};
pub use shown::Look;
pub use view::{
    Change, ChangeKind, ConversationDetail, CustomerDetail, CustomerPlace, CustomerView, Delivery,
    Entry, EntryBody, EventEntry, HandleKind, ItemEntry, MergeSuggestion, NameSource, OfferView,
    Place, ShownReaction, ShownStory, StoryState,
};
pub use views::Views;
